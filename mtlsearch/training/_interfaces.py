"""Interfaces of training: data, hooks, probe and results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mtlsearch.plugin import Batch

Metrics = Mapping[str, Mapping[str, float]]
"""Metric values by task and metric name."""

ClassResults = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Values by task, metric and class name."""

Replicates = Mapping[str, Mapping[str, tuple[float, ...]]]
"""Values by task and metric name, one without each fold of the validation images."""


class TrainingData(Protocol):
    """Batches of a training and a validation split, such as :class:`~mtlsearch.data.DataModule`."""

    def train_batches(self, epoch: int, batch_size: int) -> Iterable[Batch]:
        """Return the batches of one epoch, shuffled and augmented.

        Args:
            epoch: number of the epoch, from 0; with the seed, it determines the batches.
            batch_size: images per batch.

        Returns:
            The batches, on the CPU.
        """

    def eval_batches(self, split: str, batch_size: int) -> Iterable[Batch]:
        """Return every image of a split once, in order.

        Args:
            split: name of the split, such as ``"val"``.
            batch_size: images per batch.

        Returns:
            The batches, on the CPU.
        """

    def size(self, split: str) -> int:
        """Return the number of images of a split.

        Args:
            split: name of the split.

        Returns:
            The number of images.
        """

    def train_steps(self, batch_size: int) -> int:
        """Return the number of batches of one epoch.

        Args:
            batch_size: images per batch.

        Returns:
            The number of batches, 1 or more.
        """


class StepProbe(Protocol):
    """Callable that inspects a network in training mode before each step."""

    def __call__(self, num_steps: int, batch: Batch) -> None:
        """Inspect the network before a step.

        A probe restores weights, buffers and random generators, so that it does not change
        the training.

        Args:
            num_steps: number of completed steps, over all epochs.
            batch: the whole batch of the next step, on the device.
        """


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Losses and metrics of one epoch.

    Attributes:
        epoch: number of the epoch, from 0.
        train_losses: loss per task, unweighted, averaged over the task's labeled samples.
        metrics: validation metrics by task and metric name.
        seconds: wall time in seconds, evaluation included.
        per_class: validation results per class by task; only in the last epoch before the
            training ends or pauses.
        replicates: metrics by task and metric name without each fold of the validation images;
            in the last epoch before the training ends or pauses, and in rungs.
        learning_rate: learning rate of the heads in the last step; NaN in checkpoints of earlier
            versions.
    """

    epoch: int
    train_losses: Mapping[str, float]
    metrics: Metrics
    seconds: float
    per_class: ClassResults = field(default_factory=dict)
    replicates: Replicates = field(default_factory=dict)
    learning_rate: float = math.nan


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Outcome of one training.

    Attributes:
        epochs: records of all epochs, in order.
        steps: number of batches that were trained on.
        seconds: wall time in seconds, evaluations included.
        num_micro_batches: number of micro batches per batch at the end of the training.
        note: remark for the user, such as a batch that exceeded the memory; empty by default.
    """

    epochs: tuple[EpochRecord, ...]
    steps: int
    seconds: float
    num_micro_batches: int = 1
    note: str = ""

    @property
    def metrics(self) -> Metrics:
        """Validation metrics of the last epoch."""
        return self.epochs[-1].metrics


class TrainingHooks(Protocol):
    """Callbacks of a training. Each one does nothing unless a subclass overrides it.

    It is a protocol, so that a class can implement it without importing torch.
    """

    def on_start(self, epochs: Sequence[EpochRecord]) -> None:
        """Report the start of the training.

        Args:
            epochs: the completed epochs of the checkpoint from which it resumes; none if it starts
                from the first epoch.
        """
        return

    def on_step(self, num_steps: int, total: int, loss: float) -> None:
        """Report progress after one or more steps.

        On a GPU, several steps are reported in one call, so that the CPU does not wait for
        each of them.

        Args:
            num_steps: number of completed steps, over all epochs.
            total: number of steps of the whole training.
            loss: weighted sum of the task losses in the latest step.
        """
        return

    def on_epoch(self, record: EpochRecord, total: int) -> None:
        """Report a finished epoch.

        Args:
            record: losses and metrics of the epoch.
            total: number of epochs of the whole training.
        """
        return

    def notify(self, text: str) -> None:
        """Report a message for the user, such as a change to smaller micro batches.

        Args:
            text: one sentence.
        """
        return


class NoHooks(TrainingHooks):
    """Hooks that do nothing."""
