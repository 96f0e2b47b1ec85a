"""What a training reports while it runs and when it ends, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Metrics = Mapping[str, Mapping[str, float]]
"""Metric values by task and metric name."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One pass over the training split and the evaluation after it.

    Attributes:
        epoch: its number, from 0.
        train_losses: each task's loss, unweighted, averaged over its labelled samples.
        metrics: validation metrics.
        seconds: wall time, evaluation included.
    """

    epoch: int
    train_losses: Mapping[str, float]
    metrics: Metrics
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How a training went.

    Attributes:
        epochs: all epochs, in order.
        steps: batches that were trained on.
        seconds: wall time, evaluations included.
        parts: in how many parts a batch was computed at the end.
        note: what a reader of the result should know, for people; empty if nothing.
    """

    epochs: tuple[EpochRecord, ...]
    steps: int
    seconds: float
    parts: int = 1
    note: str = ""

    @property
    def metrics(self) -> Metrics:
        """The last epoch's validation metrics."""
        return self.epochs[-1].metrics


class TrainingProgress(Protocol):
    """Whoever watches a training."""

    def step(self, done: int, total: int, loss: float) -> None:
        """Some steps have ended; on a GPU several at a time, so that nothing waits.

        Args:
            done: steps so far, over all epochs.
            total: steps in all.
            loss: weighted sum of the tasks' losses in the latest step.
        """

    def epoch(self, record: EpochRecord, total: int) -> None:
        """An epoch has ended; ``total`` is how many there will be."""

    def note(self, text: str) -> None:
        """Something a person should know, such as that batches come in parts from now on."""
