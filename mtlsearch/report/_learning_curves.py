"""Learning curves of a run: losses and metrics of each trial by epoch, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtlsearch.results import TrialRecord

LOSS = "loss"

History = Mapping[str, Sequence[float]]
"""Numbers by column of ``history.csv``, one per epoch."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One number of a trial by epoch.

    Attributes:
        trial: trial number.
        role: ``best``, ``independent``, ``hard`` or ``other``.
        epochs: epochs from 1.
        values: number at each epoch; NaN if undefined.
    """

    trial: int
    role: str
    epochs: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class CurvePanel:
    """The curves of one loss or metric.

    Attributes:
        task: name of the task.
        metric: ``loss`` for the training loss, otherwise the name of a validation metric.
        is_primary: whether it is the loss or the primary metric of the task.
        higher_is_better: direction.
        curves: one curve per trial.
    """

    task: str
    metric: str
    is_primary: bool
    higher_is_better: bool
    curves: Sequence[Curve]

    @property
    def name(self) -> str:
        """The name of the column, ``task.metric``."""
        return f"{self.task}.{self.metric}"

    @property
    def is_loss(self) -> bool:
        """Whether the curves are training losses."""
        return self.metric == LOSS


def curve_panels(
    records: Sequence[TrialRecord],
    history_by_trial: Mapping[int, History],
    role_by_trial: Mapping[int, str],
) -> list[CurvePanel]:
    """Return the panels of all losses and metrics with results, by task.

    Args:
        records: the trials of a run.
        history_by_trial: history by trial number, of the trials that have one.
        role_by_trial: ``best``, ``independent`` or ``hard`` by trial number.

    Returns:
        Panels sorted by task; the loss of a task is followed by its metrics, the primary ones
        first.
    """
    specs_by_task = {
        task: result.specs for record in records for task, result in sorted(record.results.items())
    }
    panels = []
    for task, specs in sorted(specs_by_task.items()):
        ordered = sorted(specs, key=lambda spec: not spec.primary)
        columns = [(LOSS, True, False)]
        columns += [(spec.name, spec.primary, spec.higher_is_better) for spec in ordered]
        for metric, is_primary, higher_is_better in columns:
            curves = _curves(f"{task}.{metric}", history_by_trial, role_by_trial)
            if curves:
                panels.append(CurvePanel(task, metric, is_primary, higher_is_better, curves))
    return panels


def _curves(
    name: str, history_by_trial: Mapping[int, History], role_by_trial: Mapping[int, str]
) -> list[Curve]:
    return [
        Curve(
            number,
            role_by_trial.get(number, "other"),
            [round(epoch) + 1 for epoch in history["epoch"]],
            history[name],
        )
        for number, history in sorted(history_by_trial.items())
        if len(history.get(name, ()))
    ]
