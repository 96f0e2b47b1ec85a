"""Main loop of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtlsearch.results import TrialRecord
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search._progress import NullProgress, SearchProgress
from mtlsearch.search._rejection import exhaustion_reason, too_many_rejections
from mtlsearch.search._resume_paused import best_paused, resume_paused
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.search._trial_runner import TrialRunner
from mtlsearch.search.samplers import (
    MAX_EXPECTED_REGRET,
    Observation,
    ObservationHistory,
    Sampler,
    make_sampler,
    sharing_gp_of,
)
from mtlsearch.search.space import CandidateSpace, Proposal, propose_baseline
from mtlsearch.study import StudyView, TrialStore


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """Result of a search.

    Attributes:
        num_finished: trials that are complete, paused or failed, earlier sessions included.
        exhausted: whether the search ended before ``search.trials``, since no feasible candidate
            is left.
        reason: why it ended early; empty if it did not.
        settled: whether it ended early because further trainings would hardly change the best
            plan.
    """

    num_finished: int
    exhausted: bool
    reason: str = ""
    settled: bool = False


def search(
    space: CandidateSpace,
    evaluator: Evaluator,
    store: TrialStore,
    *,
    trials: int,
    seed: int,
    progress: SearchProgress | None = None,
    after_each: Callable[[StudyView], None] | None = None,
    at_seed: Callable[[int], Evaluator] | None = None,
) -> SearchOutcome:
    """Run trials until a number of trials is finished, or the answer is settled.

    Both baselines run first. A trial that cannot be trained fails and counts. An interrupted trial
    does not count, and its candidate runs again. Paused trials that are promoted resume before a
    new trial starts. With ``at_seed``, the search trains a candidate again with another seed where
    that is worth more than a new candidate; such a training counts too.

    Args:
        space: candidates that can be proposed.
        evaluator: measures candidates.
        store: the trials of the run.
        trials: number of finished trials at which the search ends, earlier sessions included.
        seed: seed of the sampler.
        progress: callbacks; None for none.
        after_each: called with the study at the start and after every trial.
        at_seed: returns the evaluator that trains with another seed; None for no second seeds.

    Returns:
        The number of finished trials, and why the search ended early.

    Raises:
        RunError: the ``independent`` baseline cannot be measured, so no trial can be ranked.
    """
    progress, config = NullProgress() if progress is None else progress, space.config
    sampler, history = make_sampler(space, store.objectives), ObservationHistory()
    model = sharing_gp_of(sampler)
    halving = SuccessiveHalving.from_config(space.config, evaluator, store.view())
    store.mark_interrupted()
    view = store.view()
    if space.limits is not None:
        space.limits.load_latencies(view.records)
    _report_start(space, evaluator, halving, view, progress, trials)
    runner = TrialRunner(evaluator, store, progress, halving, space.limits)
    if after_each is not None:
        after_each(view)
    while True:
        promotion = halving.promotion(view) if halving.rungs else None
        # A search without its reference has not ended, even if all its trials failed.
        if promotion is not None:
            runner.resume(promotion, view)
        elif _num_counted(view, halving) >= trials and view.reference is not None:
            return SearchOutcome(view.num_finished, exhausted=False)
        elif space.limits and (reason := too_many_rejections(view.records, space.limits)):
            return SearchOutcome(view.num_finished, exhausted=True, reason=reason)
        else:
            observations = history.update(view)
            proposal = _next_proposal(space, sampler, observations, view, seed)
            repeated, resumed = None, None
            if unpromoted := _unpromoted(view, halving):
                resumed = best_paused(observations, unpromoted, proposal, view)
            if model is not None and (proposal is None or proposal.baseline is None):
                if config.stop_when_settled and model.is_settled(observations):
                    return _outcome_of_early_end(view)
                if at_seed is not None and resumed is None:
                    repeated = model.second_seed(observations, proposal, config.max_seeds)
            if resumed is not None:
                resume_paused(resumed, runner, halving, evaluator, view)
            elif repeated is not None and at_seed is not None:
                further_seed = seed + repeated.num_second_seeds + 1
                runner.repeat(repeated.number, further_seed, at_seed(further_seed), view)
            elif proposal is None:
                reason = exhaustion_reason(
                    view.records, space.limits, is_enumerated=space.enumerate() is not None
                )
                return SearchOutcome(view.num_finished, exhausted=True, reason=reason)
            else:
                runner.start(proposal, view)
        view = store.view()
        if after_each is not None:
            after_each(view)


def _report_start(
    space: CandidateSpace,
    evaluator: Evaluator,
    halving: SuccessiveHalving,
    view: StudyView,
    progress: SearchProgress,
    trials: int,
) -> None:
    progress.search_started(_num_counted(view, halving), trials)
    if failed := _failed_reference(view):
        progress.note(
            f"the independent baseline failed as trial {failed.number} and is trained again"
        )
    if space.config.early_stopping is not None and not halving.rungs:
        epochs = evaluator.epochs
        few = "1 epoch is" if epochs == 1 else f"{epochs} epochs are"
        advice = "" if epochs == 1 else ". Set search.early_stopping.rungs to compare them anyway"
        progress.note(
            f"early stopping: {few} too few to compare trials before their end, so every trial is "
            f"trained in full{advice}"
        )
    if space.limits is not None and (text := space.limits.describe()):
        progress.note(f"limits: {text}")


def _unpromoted(view: StudyView, halving: SuccessiveHalving) -> tuple[TrialRecord, ...]:
    """Return the trials that an estimate paused between the rungs of this search."""
    return view.paused_outside(halving.rungs)


def _num_counted(view: StudyView, halving: SuccessiveHalving) -> int:
    """Return the number of finished trials, without short trainings of an estimate."""
    return view.num_finished - len(_unpromoted(view, halving))


def _failed_reference(view: StudyView) -> TrialRecord | None:
    """Return the last failed ``independent`` trial if none is complete."""
    if view.reference is not None:
        return None
    failed = (
        record
        for record in reversed(view.records)
        if record.baseline == "independent" and record.state == "failed"
    )
    return next(failed, None)


def _next_proposal(
    space: CandidateSpace,
    sampler: Sampler,
    observations: Sequence[Observation],
    view: StudyView,
    seed: int,
) -> Proposal | None:
    """Return a missing baseline, or what the sampler proposes; None if the space is exhausted."""
    if view.reference is None:
        return propose_baseline(space, "independent")
    hard = propose_baseline(space, "hard")
    # A single task has one baseline only.
    if all(observation.digest != hard.candidate.digest for observation in observations):
        return hard
    return sampler.propose(observations, seed=seed)


def _outcome_of_early_end(view: StudyView) -> SearchOutcome:
    reason = (
        f"settled: the best plan of the space is expected to exceed the best trial by less than "
        f"{MAX_EXPECTED_REGRET} points of Δm. Set `search.stop_when_settled: false` to continue"
    )
    return SearchOutcome(view.num_finished, exhausted=False, reason=reason, settled=True)
