"""The losses of an epoch, read from the device a few steps at a time."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch

from mtlsearch.errors import NonFiniteLossError, TrainingError
from mtlsearch.training._step import StepOutcome

STEPS_UNREAD = 16
SECONDS_UNREAD = 0.5


class LossTracker:
    """Averages losses and finds the first that is not finite.

    On a GPU outcomes gather before they are read, all in one transfer: reading each at
    once would make the CPU wait for every step. On the CPU each is read at once.

    Args:
        epoch: the epoch's number, for messages.
        device: where outcomes come from.
        by_count: read after so many steps, not after so much time: processes that train
            together have to find at the same step what is not finite.
    """

    def __init__(self, epoch: int, device: torch.device, *, by_count: bool = False) -> None:
        self._epoch = epoch
        self._patient = device.type == "cuda"
        self._seconds = math.inf if by_count else SECONDS_UNREAD
        self._unread: list[tuple[int, StepOutcome]] = []
        self._read_at = time.monotonic()
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self.latest = math.nan

    def add(self, step: int, outcome: StepOutcome) -> bool:
        """Take in a step's outcome; whether :attr:`latest` is new.

        Raises:
            NonFiniteLossError: a loss or the gradient is infinite or not a number.
        """
        self._unread.append((step, outcome))
        waited = time.monotonic() - self._read_at
        if self._patient and len(self._unread) < STEPS_UNREAD and waited < self._seconds:
            return False
        self.read()
        return True

    def read(self) -> None:
        """Read what is still on the device.

        Raises:
            NonFiniteLossError: a loss or the gradient is infinite or not a number.
        """
        if self._unread:
            numbers = torch.cat([outcome.numbers for _, outcome in self._unread]).tolist()
            for step, outcome in self._unread:
                own = len(outcome.counts) + 2
                self._take(step, outcome.counts, numbers[:own])
                numbers = numbers[own:]
            self._unread.clear()
        self._read_at = time.monotonic()

    def means(self, tasks: Iterable[str]) -> dict[str, float]:
        """Each task's loss, averaged over its labelled samples.

        Raises:
            TrainingError: a task had none.
        """
        missing = sorted(task for task in tasks if not self._counts[task])
        if missing:
            raise TrainingError(
                f"no training image has a label for {', '.join(missing)}",
                where="data",
                next_step="`mtlsearch check RUN.yaml` counts the labels of every task",
            )
        return {task: self._sums[task] / self._counts[task] for task in tasks}

    def _take(self, step: int, counts: Mapping[str, int], numbers: list[float]) -> None:
        *losses, total, norm = numbers
        for (task, count), loss in zip(counts.items(), losses, strict=True):
            if not math.isfinite(loss):
                raise self._not_finite(f"the loss of task {task!r} became {loss}", step)
            self._sums[task] += count * loss
            self._counts[task] += count
        if not math.isfinite(norm) or not math.isfinite(total):
            tasks = ", ".join(repr(task) for task in counts)
            raise self._not_finite(f"the gradient of {tasks} became {norm}", step)
        self.latest = total

    def _not_finite(self, what: str, step: int) -> NonFiniteLossError:
        return NonFiniteLossError(
            f"{what} in step {step} (epoch {self._epoch})",
            next_step="take a lower learning rate, a longer warm-up or precision: fp32",
        )
