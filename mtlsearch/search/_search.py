"""Main loop of a search."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mtlsearch.results import TrialRecord
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search._progress import NullProgress, SearchProgress
from mtlsearch.search._rejection import exhaustion_reason, too_many_rejections
from mtlsearch.search._resume_paused import best_paused, resume_paused
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.search._trial_runner import (
    WAIT_SECONDS,
    Leader,
    TakeOver,
    TrialRunner,
    reference_error,
)
from mtlsearch.search.samplers import (
    MAX_EXPECTED_REGRET,
    Observation,
    ObservationHistory,
    Sampler,
    SharingGPSampler,
    SharingModel,
    leader,
    make_sampler,
    sharing_gp_of,
)
from mtlsearch.search.space import CandidateSpace, Proposal, propose_baseline
from mtlsearch.study import StudyView, SuggestedParams, TrialStore


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


FIRST_WAIT_SECONDS = 0.02
"""Seconds before the next try if another worker was first; they double up to WAIT_SECONDS."""


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
    take_over: TakeOver | None = None,
) -> SearchOutcome:
    """Run trials until a number of trials is finished, or the answer is settled.

    Both baselines run first. A trial that cannot be trained fails and counts. An interrupted trial
    does not count, and a new trial continues it. Paused trials that are promoted resume before a
    new trial starts. With ``at_seed``, the search trains a candidate again with another seed where
    that is worth more than a new candidate; such a training counts too.

    Several workers may call this with stores of one study. Each candidate is trained by one of
    them, and the trials of all count. Proposals of a single worker follow from the seed.

    Args:
        space: candidates that can be proposed.
        evaluator: measures candidates.
        store: the trials of the run.
        trials: number of finished trials at which the search ends, those of earlier sessions and
            of other workers included.
        seed: seed of the sampler.
        progress: callbacks; None for none.
        after_each: called with the study at the start and after every trial.
        at_seed: returns the evaluator that trains with another seed; None for no second seeds.
        take_over: called when a trial continues interrupted ones; None if nothing is kept of them.

    Returns:
        The number of finished trials, and why the search ended early.

    Raises:
        RunError: the ``independent`` baseline cannot be measured, so no trial can be ranked, or
            ``search.max_failures`` trials in a row failed.
        InfrastructureError: a disk, the memory or the storage fails. Its trial is interrupted.
    """
    progress = NullProgress() if progress is None else progress
    halving = SuccessiveHalving.from_config(space.config, evaluator, store.view())
    store.mark_interrupted()
    view = store.view()
    if space.limits is not None:
        space.limits.load_latencies(view.records)
    _report_start(space, evaluator, halving, view, progress, trials)
    sampler = make_sampler(space, store.objectives)
    model = sharing_gp_of(sampler)
    history = ObservationHistory()
    surrogate = SharingModel(space.tasks) if model is None else model.model

    def leader_of(view: StudyView) -> Leader | None:
        return leader(history.update(view), surrogate)

    worker = _SearchWorker(
        space,
        TrialRunner(
            evaluator,
            store,
            progress,
            halving,
            space.limits,
            take_over,
            space.config.max_failures,
            space.config.trial_timeout and 60 * space.config.trial_timeout,
            leader_of,
        ),
        sampler,
        model,
        trials,
        seed,
        at_seed,
        first_number=len(store.trials),
        history=history,
    )
    if after_each is not None:
        after_each(view)
    wait_seconds = FIRST_WAIT_SECONDS
    while True:
        outcome = worker.run_one(view)
        if isinstance(outcome, bool):
            if outcome:
                wait_seconds = FIRST_WAIT_SECONDS
            else:
                time.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, WAIT_SECONDS)
            view = store.update()
            if after_each is not None:
                after_each(view)
        elif view.running:  # what other workers train may leave something to do
            view = _wait_for_change(store, view)
        else:
            return outcome


def _wait_for_change(store: TrialStore, view: StudyView) -> StudyView:
    """Return the study after another worker has written to it or died."""
    changed = view
    while changed is view:
        time.sleep(WAIT_SECONDS)
        changed = store.update()
    return changed


@dataclass(frozen=True, slots=True)
class _SearchWorker:
    """One worker of a search: decides what to train next, and trains it."""

    space: CandidateSpace
    runner: TrialRunner
    sampler: Sampler
    model: SharingGPSampler | None
    trials: int
    seed: int
    at_seed: Callable[[int], Evaluator] | None
    first_number: int
    history: ObservationHistory = field(default_factory=ObservationHistory)

    def run_one(self, view: StudyView) -> SearchOutcome | bool:
        """Run one training; without one, return why there is none.

        The value is True after a training and False if another worker has just started it.
        """
        halving, limits = self.runner.halving, self.space.limits
        self._require_reference(view)
        promotion = halving.promotion(view) if halving.rungs else None
        if promotion is not None:
            return self.runner.resume(promotion, view)
        # A search without its reference has not ended, even if all its trials failed.
        if self._num_left(view) <= 0 and _has_reference(view):
            return SearchOutcome(view.num_finished, exhausted=False)
        if limits and (reason := too_many_rejections(view.records, limits)):
            return SearchOutcome(view.num_finished, exhausted=True, reason=reason)
        for record in self.runner.store.interrupted():
            has_run = self._continue(record, view)
            if has_run is not None:
                return has_run
        return self._run_new(view)

    def _num_left(self, view: StudyView) -> int:
        """Return how many trials have not started yet."""
        return self.trials - _num_counted(view, self.runner.halving) - len(view.running)

    def _max_new(self, view: StudyView) -> int:
        return max(1, self._num_left(view))

    def _require_reference(self, view: StudyView) -> None:
        """Raise the error of another worker whose ``independent`` baseline failed."""
        failed = None if _has_reference(view) else _failed_reference(view)
        if failed is not None and failed.number >= self.first_number:
            raise reference_error(failed, None)

    def _continue(self, interrupted: TrialRecord, view: StudyView) -> bool | None:
        """Train an interrupted candidate again, from its checkpoint; None if it has to wait."""
        if interrupted.repeats is not None:
            if self.at_seed is None:
                return None
            return self._repeat(interrupted.repeats, interrupted.seed or 0, view)
        suggested = view.params_by_number.get(interrupted.number, SuggestedParams())
        proposal = Proposal(
            interrupted.candidate, suggested.params, suggested.distributions, interrupted.baseline
        )
        if not _can_train(proposal, view):
            return None
        return self.runner.start(proposal, view, self.seed, self._max_new(view))

    def _repeat(self, number: int, seed: int, view: StudyView) -> bool:
        assert self.at_seed is not None
        return self.runner.repeat(number, seed, self.at_seed(seed), view, self._max_new(view))

    def _run_new(self, view: StudyView) -> SearchOutcome | bool:
        """Run what is worth most: a paused trial, a second seed or a new candidate."""
        runner, config = self.runner, self.space.config
        observations, model = self.history.update(view), self.model
        proposal = _next_proposal(self.space, self.sampler, observations, view, self.seed)
        repeated, resumed = None, None
        if unpromoted := _unpromoted(view, runner.halving):
            resumed = best_paused(observations, unpromoted, proposal, view)
        if model is not None and (proposal is None or proposal.baseline is None):
            if config.stop_when_settled and model.is_settled(observations):
                return _outcome_of_early_end(view)
            if self.at_seed is not None and resumed is None:
                repeated = model.second_seed(observations, proposal, config.max_seeds)
        if resumed is not None:
            return resume_paused(resumed, runner, runner.halving, runner.evaluator, view)
        if repeated is not None:
            return self._repeat(repeated.number, self.seed + repeated.num_second_seeds + 1, view)
        if proposal is None:
            limits, is_enumerated = self.space.limits, self.space.enumerate() is not None
            reason = exhaustion_reason(view.records, limits, is_enumerated=is_enumerated)
            return SearchOutcome(view.num_finished, exhausted=True, reason=reason)
        if not _can_train(proposal, view):
            return SearchOutcome(view.num_finished, exhausted=False)
        return runner.start(proposal, view, self.seed, self._max_new(view))


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


def _has_reference(view: StudyView) -> bool:
    """Return whether the ``independent`` baseline is complete, or another worker trains it."""
    return view.reference is not None or any(
        record.baseline == "independent" and record.repeats is None for record in view.running
    )


def _can_train(proposal: Proposal, view: StudyView) -> bool:
    """Return whether a candidate needs no features of a baseline that is not complete yet."""
    return view.reference is not None or proposal.candidate.distillation is None


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
    if not _has_reference(view):
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
