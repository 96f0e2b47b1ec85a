"""Paused trials of an estimate, which early stopping does not promote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtlsearch.plugin import Candidate
from mtlsearch.results import TrialRecord
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search._successive_halving import Promotion, SuccessiveHalving
from mtlsearch.search._trial_runner import TrialRunner
from mtlsearch.search.samplers import (
    Observation,
    SharingModel,
    complete_observations,
    features_of,
    log_improvement,
    within_limits,
)
from mtlsearch.search.space import Proposal
from mtlsearch.study import StudyView

NUM_RESUMED = 2
"""Paused trials that resume in any case, the highest expected Δm first."""


def best_paused(
    observations: Sequence[Observation],
    unpromoted: Sequence[TrialRecord],
    proposal: Proposal | None,
    view: StudyView,
) -> TrialRecord | None:
    """Return the paused trial that is worth more than a new trial.

    The best two by expected Δm resume first. After that, a trial resumes if its expected
    improvement is at least that of the proposal.

    Args:
        observations: all trials.
        unpromoted: paused trials that early stopping does not promote, at least one.
        proposal: what the sampler proposes; None if no candidate is left.
        view: the study.

    Returns:
        The trial to resume; None for the proposal.
    """
    numbers = {record.number for record in unpromoted}
    usable = [item for item in observations if item.changes is not None]
    paused = [item for item in usable if item.number in numbers]
    if not paused:
        return None
    first = paused[0].proposal.candidate
    comparable = [item for item in usable if _has_same_backbone(item.proposal.candidate, first)]
    paused = [item for item in comparable if item.number in numbers]
    posterior = SharingModel(first.trained_tasks).posterior(comparable)
    means = posterior.mean(features_of(paused))
    record_by_number = {record.number: record for record in unpromoted}
    best = record_by_number[paused[int(means.argmax())].number]
    num_resumed = sum(
        record.state == "complete" and record.baseline is None and bool(record.rung_results)
        for record in view.records
    )
    if num_resumed < NUM_RESUMED or proposal is None:
        return best
    if not _has_same_backbone(proposal.candidate, first):
        return None
    new = replace(paused[0], proposal=proposal)
    features = features_of([*paused, new])
    highest = posterior.mean(features_of(within_limits(complete_observations(comparable)))).max()
    deviations = np.sqrt(np.maximum(posterior.covariance(features, features).diagonal(), 1e-12))
    scores = (posterior.mean(features) - highest) / deviations
    improvement = np.log(deviations) + log_improvement(scores)
    index = int(improvement[:-1].argmax())
    if improvement[index] < improvement[-1]:
        return None
    return record_by_number[paused[index].number]


def _has_same_backbone(candidate: Candidate, other: Candidate) -> bool:
    return len(candidate.plan.rows) == len(other.plan.rows) and candidate.backbone == other.backbone


def resume_paused(
    record: TrialRecord,
    runner: TrialRunner,
    halving: SuccessiveHalving,
    evaluator: Evaluator,
    view: StudyView,
) -> bool:
    """Train a paused trial to its next rung, or to the end without early stopping.

    Args:
        record: the paused trial.
        runner: runs trials.
        halving: rule of early stopping; without rungs if it is disabled.
        evaluator: measures candidates.
        view: the study before the trial resumes.

    Returns:
        Whether the trial resumed; False if another worker was first.
    """
    complete = replace(halving, epochs=evaluator.epochs)
    epochs = complete.next_epochs(record, view) or evaluator.epochs
    promotion = Promotion(record, epochs, "one of the best plans of the estimate")
    return replace(runner, halving=complete).resume(promotion, view)
