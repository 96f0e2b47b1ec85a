"""The search itself: baselines, then proposals, until the trials are spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.record import State, TaskResult, TrialRecord, delta_m, reference_of
from mtlsearch.search._candidate_space import CandidateSpace
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search._gate import none_fits, reject
from mtlsearch.search._progress import SearchProgress, Silent
from mtlsearch.search._proposal import Proposal, propose_baseline
from mtlsearch.search._room import require_room
from mtlsearch.search._sampler import Sampler, make_sampler
from mtlsearch.search._trial_store import SETTLED, TrialStore
from mtlsearch.search._tried import TriedTrials


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """How a search ended.

    Attributes:
        settled: trials that are complete or failed, of this and earlier sittings.
        exhausted: whether it ended early: every candidate has been measured, or no more are
            found within the budget.
        why: why it ended early, where that is not the former.
    """

    settled: int
    exhausted: bool
    why: str = ""


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
    trained fails and counts; one that is interrupted does not and is run again.

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
    progress = Silent() if progress is None else progress
    require_room(space)
    sampler, tried = make_sampler(space), TriedTrials(store)
    store.close_interrupted()
    progress.search_started(_settled(store), trials)
    if space.budget is not None:
        space.budget.recall(store.records())
        progress.note(f"budget: {space.budget.describe()}")
    if after_each is not None:
        after_each(store.records())
    # Without its reference a search is not done, however many trials have failed.
    while _settled(store) < trials or not _reference(store):
        if why := none_fits(store.records()):
            return SearchOutcome(_settled(store), exhausted=True, why=why)
        proposal = _next(space, sampler, tried, seed)
        if proposal is None:
            return SearchOutcome(_settled(store), exhausted=True)
        _run(proposal, space, evaluator, store, progress)
        if after_each is not None:
            after_each(store.records())
    return SearchOutcome(_settled(store), exhausted=False)


def _settled(store: TrialStore) -> int:
    return sum(record.state in SETTLED for record in store.records())


def _next(
    space: CandidateSpace, sampler: Sampler, trials: TriedTrials, seed: int
) -> Proposal | None:
    tried = trials.read()
    if not trials.has_reference:
        return propose_baseline(space, "independent")
    hard = propose_baseline(space, "hard")
    # A single task has one baseline alone.
    if all(trial.digest != hard.candidate.digest for trial in tried):
        return hard
    return sampler.propose(tried, seed=seed)


def _run(
    proposal: Proposal,
    space: CandidateSpace,
    evaluator: Evaluator,
    store: TrialStore,
    progress: SearchProgress,
) -> None:
    """Measure one candidate and settle its trial, whatever happens."""
    cost = evaluator.cost(proposal.candidate)
    latency, over = space.budget.examine(proposal.candidate) if space.budget else (None, "")
    record = store.start(
        proposal,
        TrialRecord(
            number=0,
            state="running",
            role=proposal.role,
            candidate=proposal.candidate,
            parameters=cost.parameters,
            flops=cost.flops,
            latency=latency,
            over_budget=over,
        ),
    )
    if over and proposal.role is None:
        reject(record, store, progress)
        return
    began = time.monotonic()
    try:
        measurement = evaluator.measure(record.number, record.candidate, progress)
    except TrainingError as error:
        record = _ended(record, "failed", error.what, began)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        store.settle(_ended(record, "failed", why, began), None)
        raise
    except BaseException:
        store.settle(_ended(record, "interrupted", "stopped before it ended", began), None)
        raise
    else:
        record = replace(
            record,
            state="complete",
            results=measurement.results,
            epochs=measurement.epochs,
            seconds=measurement.seconds,
            note=measurement.note,
        )
    _settle(record, store, progress)


def _ended(record: TrialRecord, state: State, why: str, began: float) -> TrialRecord:
    return replace(record, state=state, why=why, seconds=time.monotonic() - began)


def _settle(record: TrialRecord, store: TrialStore, progress: SearchProgress) -> None:
    is_reference = record.role == "independent"
    reference = record.results if is_reference else _reference(store)
    value: float | None = None
    if record.state == "complete":
        value, reason = delta_m(record.results, reference)
        if value is None:
            record = replace(record, state="failed", why=reason)
    store.settle(record, value)
    progress.trial_finished(record.number, record.state, value, record.seconds, record.why)
    if is_reference and record.state == "failed":
        raise RunError(
            f"the independent baseline cannot be measured: {record.why}",
            where=f"trial {record.number}",
            next_step="without it nothing can be ranked; change the run file (more epochs, "
            "another learning rate) and search in a new folder",
        )
    _tell_best(store, progress)


def _tell_best(store: TrialStore, progress: SearchProgress) -> None:
    best = store.best()
    if best is not None:
        progress.best(*best)


def _reference(store: TrialStore) -> Mapping[str, TaskResult]:
    return reference_of(store.records())
