"""The search itself: baselines, then proposals, until the trials are spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtlsearch.results import TrialRecord, reference_trial
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search._progress import NullProgress, SearchProgress
from mtlsearch.search._rejection import exhaustion_reason, too_many_rejections
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.search._trial_runner import TrialRunner
from mtlsearch.search.samplers import ObservationHistory, Sampler, make_sampler
from mtlsearch.search.space import CandidateSpace, Proposal, check_feasible, propose_baseline
from mtlsearch.study import FINISHED_STATES, TrialStore


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """How a search ended.

    Attributes:
        settled: trials that are complete, stopped early or failed, of this and earlier sittings.
        exhausted: whether it ended early: every candidate has been measured, or no more are
            found within the budget.
        why: why it ended early; empty where it did not.
    """

    num_finished: int
    exhausted: bool
    reason: str = ""


def search(
    space: CandidateSpace,
    evaluator: Evaluator,
    store: TrialStore,
    *,
    trials: int,
    seed: int,
    progress: SearchProgress | None = None,
    after_each: Callable[[Sequence[TrialRecord]], None] | None = None,
) -> SearchOutcome:
    """Run trials until there are ``trials`` in all, those of earlier sittings included.

    Both baselines come first. No candidate is measured twice. A trial that cannot be
    trained fails and counts; one that is interrupted does not and is run again. One that is
    stopped early counts; whoever is to go on goes on before another one begins, and before the
    search ends.

    Args:
        space: what may be proposed, and by which sampler.
        evaluator: measures candidates.
        store: remembers them.
        trials: how many there are to be in all.
        seed: of the proposals.
        progress: watches; by default nobody does.
        after_each: is called with all records at the beginning and after every trial.

    Raises:
        ConfigError: no candidate is within the budget.
        RunError: the ``independent`` baseline cannot be measured, so nothing can be ranked.
    """
    progress = NullProgress() if progress is None else progress
    check_feasible(space)
    sampler, tried = make_sampler(space, store.objectives), ObservationHistory(store)
    halving = SuccessiveHalving.from_config(
        space.config, evaluator, store.objectives, store.records()
    )
    leg = TrialRunner(evaluator, store, progress, halving, space.limits)
    store.mark_interrupted()
    progress.search_started(_num_finished(store.records()), trials)
    if failed := _failed_reference(store.records()):
        progress.note(f"the independent baseline failed as trial {failed.number}: trained again")
    if space.config.early_stopping is not None and not halving.rungs:
        progress.note(
            f"halving: with {evaluator.epochs} epochs in all it is too early to stop anybody; "
            "every trial is trained in full; search.early_stopping.rungs can name epochs all the same"
        )
    if space.limits is not None:
        space.limits.load_latencies(store.records())
        if text := space.limits.describe():
            progress.note(f"limits: {text}")
    if after_each is not None:
        after_each(store.records())
    while True:
        records = store.records()
        num_finished, promotion = _num_finished(records), halving.promotion(records)
        # Without its reference a search is not done, however many trials have failed.
        if promotion is not None:
            leg.resume(promotion)
        elif num_finished >= trials and reference_trial(records) is not None:
            return SearchOutcome(num_finished, exhausted=False)
        elif reason := too_many_rejections(records, space.limits):
            return SearchOutcome(num_finished, exhausted=True, reason=reason)
        else:
            proposal = _next(space, sampler, tried, seed)
            if proposal is None:
                reason = exhaustion_reason(records, space.limits)
                return SearchOutcome(num_finished, exhausted=True, reason=reason)
            leg.start(proposal)
        if after_each is not None:
            after_each(store.records())


def _failed_reference(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """The latest try at the ``independent`` baseline, where all of them failed."""
    if reference_trial(records) is not None:
        return None
    tries = (
        at for at in reversed(records) if at.baseline == "independent" and at.state == "failed"
    )
    return next(tries, None)


def _num_finished(records: Sequence[TrialRecord]) -> int:
    return sum(record.state in FINISHED_STATES for record in records)


def _next(
    space: CandidateSpace, sampler: Sampler, trials: ObservationHistory, seed: int
) -> Proposal | None:
    tried = trials.read()
    if not trials.has_reference:
        return propose_baseline(space, "independent")
    hard = propose_baseline(space, "hard")
    # A single task has one baseline alone.
    if all(trial.digest != hard.candidate.digest for trial in tried):
        return hard
    return sampler.propose(tried, seed=seed)
