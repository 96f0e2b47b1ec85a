"""The estimate of all plans in an opened run directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mtlsearch.files import atomic_write
from mtlsearch.plan import SharingPlan
from mtlsearch.runs._session import Session
from mtlsearch.search import Evaluator, SearchProgress, TakeOver
from mtlsearch.search.estimate import (
    DEFAULT_PLANS,
    Estimate,
    ShortStudy,
    early_epoch,
    estimated_plans,
    rank_plans,
    train_for_estimate,
    train_with_own_schedule,
    with_short_trainings,
)
from mtlsearch.study import RunDirectory, StudyView, TrialStore

PriorMean = Mapping[str, Mapping[SharingPlan, float]]


def estimate_plans(
    session: Session,
    run: RunDirectory,
    evaluator: Evaluator,
    store: TrialStore,
    *,
    plans: int = DEFAULT_PLANS,
    should_merge: bool | None = None,
    progress: SearchProgress,
    after_each: Callable[[StudyView], None] | None,
    take_over: TakeOver,
    short_at: Callable[[int], ShortStudy] | None = None,
) -> Estimate:
    """Estimate all plans in an opened run directory.

    Args:
        session: the opened run.
        run: its run directory, which is locked.
        evaluator: measures candidates.
        store: the trials of the run.
        plans: number of plans to train to a third of the epochs.
        should_merge: whether merged single-task networks give a prior mean; None: if the backbone
            is pretrained and this costs at most two trainings.
        progress: callbacks of the trainings.
        after_each: called with the study after every trial; None for no callback.
        take_over: called when a trial continues interrupted ones.
        short_at: returns the study of trainings of some epochs with a schedule of their own; None
            to pause ordinary trials.

    Returns:
        The estimate, which is also written to the run directory.

    Raises:
        RunError: the plans cannot be estimated, or a baseline cannot be measured.
    """
    names = estimated_plans(session.space)
    num_epochs = _remaining_epochs(store.view(), evaluator.epochs, plans, short_at)
    progress_of_all = _EstimateProgress(progress, num_epochs)
    if short_at is None:
        rung = train_for_estimate(
            session.space,
            evaluator,
            store,
            plans=plans,
            progress=progress_of_all,
            after_each=after_each,
            take_over=take_over,
        )
        view = store.view()
    else:
        rung, view = train_with_own_schedule(
            session.space,
            evaluator,
            store,
            short_at,
            plans=plans,
            progress=progress_of_all,
            after_each=after_each,
            take_over=take_over,
        )
    prior = _merged(session, view, names, should_merge, progress)
    estimate = rank_plans(
        session.space,
        view,
        cost=session.evaluator.cost,
        epochs=rung,
        full_epochs=evaluator.epochs,
        prior=prior,
    )
    if short_at is not None and rung < evaluator.epochs:
        estimate = replace(estimate, has_own_schedule=True)
    with atomic_write(run.estimate) as temporary:
        text = json.dumps(estimate.to_json(), indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return estimate


def _merged(
    session: Session,
    view: StudyView,
    plans: list[SharingPlan],
    should_merge: bool | None,
    progress: SearchProgress,
) -> PriorMean | None:
    """Return the estimated changes of merged single-task networks; None if they are not merged."""
    from mtlsearch.runs._merge_estimate import merge_estimate
    from mtlsearch.runs._merge_price import merge_obstacle

    independent = view.reference
    assert independent is not None  # it was trained above
    if should_merge is None:
        obstacle = merge_obstacle(session, independent, plans)
        should_merge = not obstacle
        if obstacle:
            progress.note(f"merged networks are not used: {obstacle}")
    if not should_merge:
        return None
    return merge_estimate(session, independent, plans, progress=progress).changes(plans)


def _remaining_epochs(
    view: StudyView, epochs: int, plans: int, short_at: Callable[[int], ShortStudy] | None
) -> int:
    """Return how many epochs the trainings of an estimate still have."""
    early = early_epoch(epochs)
    full, short = _missing(view, plans)
    if short_at is not None and early < epochs:
        of_short = short_at(early).store.view()
        _, num_plans = _missing(with_short_trainings(view, of_short, early), plans)
        short = _missing(of_short, plans)[0] + num_plans
    return full * epochs + short * early


def _missing(view: StudyView, plans: int) -> tuple[int, int]:
    """Return how many baselines and how many of the other plans are not trained yet."""
    trained = [record for record in view.records if record.state in ("complete", "paused")]
    num_baselines = sum(record.baseline is not None for record in trained)
    num_plans = len({record.candidate.plan for record in trained if record.baseline is None})
    return max(0, 2 - num_baselines), max(0, plans - num_plans)


@dataclass
class _EstimateProgress(SearchProgress):
    """Progress of an estimate: that of its trials, and the remaining time of all of them."""

    progress: SearchProgress
    num_epochs: int
    _done: int = field(default=0)

    def trials_named(self, name: str) -> None:
        self.progress.trials_named(name)

    def trial_started(self, number: int, what: str, steps: int) -> None:
        if self._done == 0:
            self._report()
        self.progress.trial_started(number, what, steps)

    def step(self, done: int, loss: float) -> None:
        self.progress.step(done, loss)

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        self._done += 1
        self.progress.epoch_finished(epoch, epochs, metrics)
        self._report()

    def waiting(self, is_waiting: bool) -> None:
        self.progress.waiting(is_waiting)

    def note(self, text: str) -> None:
        self.progress.note(text)

    def warning(self, text: str) -> None:
        self.progress.warning(text)

    def trial_finished(
        self,
        number: int,
        state: str,
        delta_m: float | None,
        seconds: float,
        reason: str,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        self.progress.trial_finished(number, state, delta_m, seconds, reason, metrics)

    def best(
        self, number: int, delta_m: float, expected: tuple[float, float] | None = None
    ) -> None:
        self.progress.best(number, delta_m, expected)

    def _report(self) -> None:
        done = min(self._done, self.num_epochs)
        self.progress.stage("training for the estimate, epochs", done, self.num_epochs)
