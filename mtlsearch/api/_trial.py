"""Trial of a run, with its plan, its results and its learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtlsearch.api._history import history_frame
from mtlsearch.api._plan import Plan
from mtlsearch.api._terms import in_python_terms

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from mtlsearch.results import Expectation, TrialRecord

Values = Mapping[str, Mapping[str, float]]
"""Number by task and metric name."""


@dataclass(frozen=True, slots=True, repr=False)
class Trial:
    """One trial of a run, as it was when it was read.

    Attributes:
        number: trial number, from 0.
        state: ``running``, ``complete``, ``paused``, ``failed``, ``interrupted`` or
            ``infeasible``.
        baseline: ``independent`` or ``hard``; None for a proposed plan.
        plan: the sharing plan, which a notebook draws.
        backbone: timm name of the backbone.
        loss_weights: factor of the loss by task; None if all are 1.
        learning_rate: learning rate of the trial; None for that of the run file.
        balancer: name of the balancer; ``static`` is none.
        metrics: validation metrics by task and name; empty unless the trial is complete.
        errors: standard error of each metric over validation images, by task and name.
        delta_m: Δm in percent against ``independent``; None if it is undefined.
        expected_delta_m: expected Δm in percent, see the verdict; None without one.
        expected_delta_m_sd: standard deviation of the expected Δm in percent; None without one.
        parameters: number of scalars in the weights, heads included.
        flops: floating-point operations for one image, two per multiply-add, heads included.
        epochs: number of trained epochs.
        seconds: wall time of training and evaluation.
        reason: why the trial is not complete; empty for complete trials.
    """

    number: int
    state: str
    baseline: str | None
    plan: Plan
    backbone: str
    loss_weights: Mapping[str, float] | None
    learning_rate: float | None
    balancer: str
    metrics: Values
    errors: Values
    delta_m: float | None
    expected_delta_m: float | None
    expected_delta_m_sd: float | None
    parameters: int
    flops: int
    epochs: int
    seconds: float
    reason: str
    _history: Path = field(compare=False)

    @in_python_terms
    def history(self) -> pd.DataFrame:
        """Read the training losses and the validation metrics after every epoch.

        Returns:
            One row per epoch, indexed from 1, with the columns ``seconds``, ``TASK.loss`` and
            ``TASK.METRIC``; without rows if the trial has not finished an epoch.
        """
        from mtlsearch.runs import read_history

        return history_frame(read_history(self._history))

    def __repr__(self) -> str:
        value = "" if self.delta_m is None else f", delta_m={self.delta_m:+.2f}"
        return f"Trial({self.number}, {self.state}, {str(self.plan)!r}{value})"


def trial_of(
    record: TrialRecord,
    *,
    delta_m: float | None,
    expected: Expectation | None,
    default_backbone: str,
    history: Path,
) -> Trial:
    """Return the trial of a stored record.

    Args:
        record: the record.
        delta_m: Δm of the trial in percent; None if it is undefined.
        expected: its expected Δm; None without a verdict.
        default_backbone: timm name of the backbone where the candidate names none.
        history: file with its losses and metrics.

    Returns:
        The trial.
    """
    candidate = record.candidate
    return Trial(
        number=record.number,
        state=record.state,
        baseline=record.baseline,
        plan=Plan(candidate.plan, f"trial {record.number}"),
        backbone=candidate.backbone or default_backbone,
        loss_weights=candidate.loss_weights,
        learning_rate=record.learning_rate,
        balancer=candidate.balancer,
        metrics={task: dict(result.metrics) for task, result in record.results.items()},
        errors={task: dict(result.errors) for task, result in record.results.items()},
        delta_m=delta_m,
        expected_delta_m=None if expected is None else expected.mean,
        expected_delta_m_sd=None if expected is None else expected.deviation,
        parameters=record.parameters,
        flops=record.flops,
        epochs=record.epochs,
        seconds=record.seconds,
        reason=record.reason,
        _history=history,
    )
