"""Trainings of an estimate: both baselines, then a few plans to a third of the epochs."""

from __future__ import annotations

import time
from collections.abc import Callable

from mtlsearch.errors import RunError
from mtlsearch.plan import SharingPlan
from mtlsearch.results import Baseline, counted_metrics, why_unranked
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.search._trial_runner import WAIT_SECONDS, TakeOver, TrialRunner
from mtlsearch.search.estimate._design import next_design
from mtlsearch.search.estimate._ranking import BASELINES, estimated_plans, with_reached_rungs
from mtlsearch.search.samplers import sharing_features
from mtlsearch.search.space import CandidateSpace, proposal_of, propose_baseline
from mtlsearch.study import StudyView, TrialStore

DEFAULT_PLANS = 6
"""Plans that are trained to a third of the epochs: the price of two trainings."""


def early_epoch(epochs: int) -> int:
    """Return the epoch at which the short trainings pause.

    Args:
        epochs: epochs of a complete training.

    Returns:
        A third of the epochs, rounded up.
    """
    return -(-epochs // 3)


def early_epochs(epochs: int) -> tuple[int, ...]:
    """Return the epochs of short trainings: the second one if Δm is noise at the first.

    Args:
        epochs: epochs of a complete training.

    Returns:
        A third and two thirds of the epochs, rounded up; without those that are all epochs.
    """
    return tuple(early for early in (early_epoch(epochs), -(-2 * epochs // 3)) if early < epochs)


def train_for_estimate(
    space: CandidateSpace,
    evaluator: Evaluator,
    store: TrialStore,
    *,
    plans: int = DEFAULT_PLANS,
    progress: SearchProgress,
    after_each: Callable[[StudyView], None] | None = None,
    take_over: TakeOver | None = None,
) -> int:
    """Train both baselines in full and some plans in part, as trials of the study.

    The plans are chosen by :func:`next_design`, so that an interrupted estimate continues with
    the same ones. Trials that exist already count, also an interrupted one with results at the
    epoch of the estimate. A baseline that another worker trains is waited for.

    Args:
        space: the candidate space.
        evaluator: measures candidates.
        store: the trials of the run.
        plans: number of plans to train besides the baselines.
        progress: callbacks.
        after_each: called with the study after every trial.
        take_over: called when a trial continues interrupted ones; None if nothing is kept of them.

    Returns:
        The epoch at which the plans were paused; the last one if Δm is undefined before.

    Raises:
        RunError: the plans of the space cannot be enumerated, a baseline cannot be measured, or
            it was trained by a search without results at the epoch of the estimate.
    """
    names = estimated_plans(space)
    store.mark_interrupted()
    if space.limits is not None:
        space.limits.load_latencies(store.view().records)
    after = after_each or (lambda view: None)
    epochs, halving = evaluator.epochs, baseline_rungs(space, evaluator)
    runner = TrialRunner(evaluator, store, progress, halving, space.limits, take_over)
    train_baselines(space, runner, after)
    rung = _valid_rung(store.view(), evaluator)
    halving = SuccessiveHalving((rung,), epochs=epochs, can_promote=False)
    if rung == epochs:
        halving = SuccessiveHalving()
    runner = TrialRunner(evaluator, store, progress, halving, space.limits, take_over)
    train_plans(space, runner, names, plans, after)
    return rung


def train_baselines(
    space: CandidateSpace, runner: TrialRunner, after: Callable[[StudyView], None]
) -> None:
    """Train both baselines, unless they are complete or another worker trains them.

    ``hard`` is not trained again if it failed: the estimate does not need it.

    Args:
        space: the candidate space.
        runner: runs trials.
        after: called with the study after every trial.
    """
    for baseline in BASELINES:
        if _train_baseline(space, runner, baseline):
            after(runner.store.view())


def _train_baseline(space: CandidateSpace, runner: TrialRunner, baseline: Baseline) -> bool:
    """Train a baseline unless it is complete or another worker trains it; return whether it did."""
    proposal = propose_baseline(space, baseline)
    ended = ("complete",) if baseline == "independent" else ("complete", "failed")
    while True:
        view = runner.store.update()
        if any(record.baseline == baseline and record.state in ended for record in view.records):
            return False
        if runner.start(proposal, view):
            return True
        if any(
            record.baseline is None
            and record.candidate == proposal.candidate
            and record.state != "running"
            for record in view.records
        ):
            return False  # its plan was trained, but not as a baseline
        time.sleep(WAIT_SECONDS)


def train_plans(
    space: CandidateSpace,
    runner: TrialRunner,
    plans: list[SharingPlan],
    count: int,
    after: Callable[[StudyView], None],
    trials_of: Callable[[StudyView], StudyView] = with_reached_rungs,
) -> None:
    """Start trials until ``count`` proposed plans have results, at most twice as many trials.

    Args:
        space: the candidate space.
        runner: runs trials.
        plans: plans that may be trained.
        count: number of plans with results.
        after: called with the study after every trial.
        trials_of: returns all trials that count, given those of the runner.
    """
    baselines = [space.baseline_candidate(baseline).plan for baseline in BASELINES]
    plans = list(dict.fromkeys([*baselines, *plans]))
    features = sharing_features(plans)
    index_by_plan = {plan: index for index, plan in enumerate(plans)}
    num_started = 0
    while num_started < 2 * count:
        view = runner.store.update()
        records = [
            record
            for record in trials_of(view).records
            if record.candidate.plan in index_by_plan
            and record.candidate.backbone in (None, space.backbones[0])
        ]
        trained = [
            index_by_plan[record.candidate.plan]
            for record in records
            if record.state in ("complete", "paused")
        ]
        proposed = set(trained) - {index_by_plan[plan] for plan in baselines}
        if len(proposed) >= count:
            return
        excluded = {
            index_by_plan[record.candidate.plan]
            for record in records
            if record.state != "interrupted"
        }
        index = next_design(features, trained, excluded)
        candidate = None if index is None else space.candidate_of(plans[index])
        if candidate is None:
            return
        if runner.start(proposal_of(space, candidate), view):
            num_started += 1
            after(runner.store.view())
        else:
            time.sleep(WAIT_SECONDS)


def baseline_rungs(space: CandidateSpace, evaluator: Evaluator) -> SuccessiveHalving:
    """Return the epochs at which the results of the baselines are kept, as a rule.

    Args:
        space: the candidate space.
        evaluator: measures candidates in full.

    Returns:
        A rule by which no trial resumes.
    """
    epochs, stopping = evaluator.epochs, space.config.early_stopping
    rungs = set(early_epochs(epochs))
    if stopping is not None:
        rungs |= set(stopping.rungs_of(epochs))
    kept = tuple(sorted(rung for rung in rungs if rung < epochs))
    return SuccessiveHalving(kept, epochs=epochs, can_promote=False)


def _valid_rung(view: StudyView, evaluator: Evaluator) -> int:
    """Return a third of the epochs, or two thirds if Δm is noise there; else all epochs."""
    for rung in early_epochs(evaluator.epochs):
        reference = view.reference_results(rung)
        if not reference:
            raise RunError(
                f"the independent baseline of this run has no results at epoch {rung}, with which "
                "short trainings are compared",
                where="trial 0" if view.reference is None else f"trial {view.reference.number}",
                next_step="estimate in a new run directory: set --out to another folder",
            )
        if not why_unranked(reference) and not counted_metrics(reference).is_noise:
            return rung
    return evaluator.epochs
