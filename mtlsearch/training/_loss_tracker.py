"""Loss tracker: mean losses of an epoch, read from the device a few steps at a time."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch

from mtlsearch.errors import NonFiniteLossError, TrainingError
from mtlsearch.training._step import StepOutcome

MAX_UNREAD_STEPS = 16
MAX_UNREAD_SECONDS = 0.5


class LossTracker:
    """Averages the losses of an epoch by task and finds the first that is not finite.

    On a GPU, outcomes are collected and read in one transfer, because reading each one would
    make the CPU wait for every step. On the CPU, each outcome is read immediately.

    Args:
        epoch: number of the epoch from 0; messages count from 1.
        device: device of the outcomes.
        by_count: whether the number of steps alone decides when to read, not the time.
            Processes of one training must find a non-finite loss at the same step.
    """

    def __init__(self, epoch: int, device: torch.device, *, by_count: bool = False) -> None:
        self._epoch = epoch
        self._collects = device.type == "cuda"
        self._max_seconds = math.inf if by_count else MAX_UNREAD_SECONDS
        self._unread: list[tuple[int, StepOutcome]] = []
        self._last_read = time.monotonic()
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self.latest = math.nan

    def add(self, step: int, outcome: StepOutcome) -> bool:
        """Add the outcome of a step.

        Args:
            step: number of the step, from 1.
            outcome: losses and gradient norm of the step.

        Returns:
            Whether outcomes were read, so that :attr:`latest` is current.

        Raises:
            NonFiniteLossError: a loss or the gradient is infinite or NaN.
        """
        self._unread.append((step, outcome))
        waited = time.monotonic() - self._last_read
        is_full = len(self._unread) >= MAX_UNREAD_STEPS or waited >= self._max_seconds
        if self._collects and not is_full:
            return False
        self.read()
        return True

    def read(self) -> None:
        """Read the outcomes that are still on the device.

        Raises:
            NonFiniteLossError: a loss or the gradient is infinite or NaN.
        """
        if self._unread:
            values = torch.cat([outcome.numbers for _, outcome in self._unread]).tolist()
            for step, outcome in self._unread:
                length = len(outcome.counts) + 2
                self._add_values(step, outcome.counts, values[:length])
                values = values[length:]
            self._unread.clear()
        self._last_read = time.monotonic()

    def means(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return the loss of each task, averaged over its labeled samples.

        Args:
            tasks: names of the tasks.

        Returns:
            Mean loss by task.

        Raises:
            TrainingError: a task has no labeled sample in this epoch.
        """
        missing = sorted(task for task in tasks if not self._counts[task])
        if missing:
            raise TrainingError(
                f"no training image has a label for {', '.join(missing)}",
                where="data",
                next_step="run `mtlsearch check RUN.yaml` to count the labels of every task",
            )
        return {task: self._sums[task] / self._counts[task] for task in tasks}

    def _add_values(self, step: int, counts: Mapping[str, int], values: list[float]) -> None:
        *losses, total, norm = values
        for (task, count), loss in zip(counts.items(), losses, strict=True):
            if not math.isfinite(loss):
                raise self._non_finite(f"the loss of task {task!r} became {loss}", step)
            self._sums[task] += count * loss
            self._counts[task] += count
        if not math.isfinite(norm) or not math.isfinite(total):
            tasks = ", ".join(repr(task) for task in counts)
            raise self._non_finite(f"the gradient of {tasks} became {norm}", step)
        self.latest = total

    def _non_finite(self, what: str, step: int) -> NonFiniteLossError:
        return NonFiniteLossError(
            f"{what} in step {step} (epoch {self._epoch + 1})",
            next_step="set train.learning_rate to a smaller value, train.warmup to a larger one, "
            "or train.precision to fp32",
        )
