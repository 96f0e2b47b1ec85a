"""Short trainings with a learning-rate schedule of their own.

A training that pauses after a third of the epochs has a high learning rate there. A training of
a third of the epochs ends at the lowest one, but cannot be resumed to the full number. So these
trainings are a study of their own, with both baselines to which they are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mtlsearch.errors import RunError
from mtlsearch.results import TrialRecord, counted_metrics, why_unranked
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.search._trial_runner import TakeOver, TrialRunner
from mtlsearch.search.estimate._ranking import estimated_plans
from mtlsearch.search.estimate._trainings import (
    DEFAULT_PLANS,
    baseline_rungs,
    early_epochs,
    train_baselines,
    train_plans,
)
from mtlsearch.search.space import CandidateSpace
from mtlsearch.study import StudyView, TrialStore


@dataclass(frozen=True, slots=True)
class ShortStudy:
    """A study of short trainings.

    Attributes:
        evaluator: trains for few epochs, at the end of which the learning rate is lowest.
        store: its trials.
        take_over: called when a trial continues interrupted ones; None if nothing is kept of them.
    """

    evaluator: Evaluator
    store: TrialStore
    take_over: TakeOver | None = None


def train_with_own_schedule(
    space: CandidateSpace,
    evaluator: Evaluator,
    store: TrialStore,
    short_at: Callable[[int], ShortStudy],
    *,
    plans: int = DEFAULT_PLANS,
    progress: SearchProgress,
    after_each: Callable[[StudyView], None] | None = None,
    take_over: TakeOver | None = None,
) -> tuple[int, StudyView]:
    """Train both baselines in full, and short trainings of them and of some plans.

    The plans are those that :func:`train_for_estimate` would choose. Trials that exist already
    count, in either study.

    Args:
        space: the candidate space.
        evaluator: measures candidates in full.
        store: the trials of the run.
        short_at: returns the study of trainings of some epochs.
        plans: number of plans to train besides the baselines.
        progress: callbacks.
        after_each: called with the study of the run after every complete baseline.
        take_over: called when a trial of the run continues interrupted ones; None if nothing is
            kept of them.

    Returns:
        The number of epochs of the short trainings, and the study of the run in which they are
        results at that epoch, see :func:`with_short_trainings`.

    Raises:
        RunError: the plans of the space cannot be enumerated, or ``independent`` cannot be
            measured, in full or in a short training.
    """
    names = estimated_plans(space)
    if space.limits is not None:
        space.limits.load_latencies(store.view().records)

    def runner_of(study: ShortStudy, halving: SuccessiveHalving) -> TrialRunner:
        study.store.mark_interrupted()
        return TrialRunner(
            study.evaluator, study.store, progress, halving, space.limits, study.take_over
        )

    def ignore(view: StudyView) -> None: ...

    run = ShortStudy(evaluator, store, take_over)
    train_baselines(space, runner_of(run, baseline_rungs(space, evaluator)), after_each or ignore)
    for epochs in early_epochs(evaluator.epochs):
        progress.trials_named("short training")
        short = runner_of(short_at(epochs), SuccessiveHalving())
        try:
            train_baselines(space, short, ignore)
        except RunError as error:
            records = short.store.view().records
            failed = [item for item in records if error.where == f"trial {item.number}"]
            if not failed:
                raise
            raise RunError(
                f"a short training of independent failed: {failed[0].reason}",
                where=f"short_trainings/{epochs}, {error.where}",
                next_step="estimate without --own-schedule",
            ) from error
        reference = short.store.view().reference_results()
        if not why_unranked(reference) and not counted_metrics(reference).is_noise:

            def trials_of(view: StudyView, epochs: int = epochs) -> StudyView:
                return with_short_trainings(store.view(), view, epochs)

            train_plans(space, short, names, plans, ignore, trials_of)
            progress.trials_named("trial")
            return epochs, trials_of(short.store.view())
    progress.trials_named("trial")
    train_plans(space, runner_of(run, SuccessiveHalving()), names, plans, after_each or ignore)
    return evaluator.epochs, store.view()


def with_short_trainings(view: StudyView, short: StudyView, epochs: int) -> StudyView:
    """Return a study in which the results of short trainings are those at an epoch.

    A plan that has a complete trial has its short results at that epoch. Other plans of short
    trainings are trials that paused there. What trials of the run have at that epoch with the
    schedule of a full training is left out, since it is not comparable.

    Args:
        view: the study of the run.
        short: the study of the short trainings.
        epochs: their number of epochs.

    Returns:
        The study.
    """
    short_by_digest = {
        record.candidate.digest: record for record in short.records if record.state != "interrupted"
    }
    records = []
    for record in view.records:
        of_short = short_by_digest.get(record.candidate.digest)
        rungs = {rung: value for rung, value in record.rung_results.items() if rung != epochs}
        if record.state == "complete":
            if of_short is not None and of_short.state == "complete":
                rungs[epochs] = of_short.results
            short_by_digest.pop(record.candidate.digest, None)
        elif of_short is not None or (record.rung_results and not rungs):
            continue
        records.append(replace(record, rung_results=rungs))
    last = max((record.number for record in (*view.records, *view.repeats)), default=-1)
    added = [
        _paused_at(epochs, record, number)
        for number, record in enumerate(short_by_digest.values(), start=last + 1)
    ]
    return StudyView(
        records=(*records, *added),
        objectives=view.objectives,
        params_by_number=view.params_by_number,
        repeats=view.repeats,
    )


def _paused_at(epochs: int, record: TrialRecord, number: int) -> TrialRecord:
    """Return a short training as a trial of the run; one without results as it is."""
    record = replace(record, number=number, baseline=None)
    if record.state != "complete":
        return record
    return replace(
        record, state="paused", results={}, epochs=epochs, rung_results={epochs: record.results}
    )
