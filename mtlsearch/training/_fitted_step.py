"""Steps in as many parts as the device's memory asks for."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mtlsearch.plugin import Batch
from mtlsearch.training._failures import is_out_of_memory
from mtlsearch.training._micro_batches import micro_batches
from mtlsearch.training._placement import Placement
from mtlsearch.training._step import BatchLosses, StepOutcome, TrainingStep


class FittedStep:
    """Takes a step in parts whose gradients add up, and in more of them where memory runs out.

    A step that did not fit is taken again from where it began: the same weights, running
    statistics and random numbers. So from the step on in which memory ran out, a training
    is one with that many parts.

    Args:
        step: the step.
        network: what it trains; its buffers are put back.
        placement: where batches go.
        parts: in how many parts a batch comes at first.
        tell: is told, for people, that a batch comes in more parts from now on.
    """

    def __init__(
        self,
        step: TrainingStep,
        network: nn.Module,
        placement: Placement,
        *,
        parts: int,
        tell: Callable[[str], None],
    ) -> None:
        self.device = placement.device
        self._step = step
        self._placement = placement
        self._start = _Start(network, placement.device)
        self._tell = tell
        self.parts = parts
        self.note = ""

    def __call__(self, batch: Batch) -> StepOutcome | None:
        """Train on one batch; None if it has no label at all.

        Raises:
            torch.OutOfMemoryError: not even one image fits.
        """
        self._start.keep()
        losses = self._gradient(batch)
        return None if losses is None else self._step.update(losses)

    def _gradient(self, batch: Batch) -> BatchLosses | None:
        while True:
            try:
                parts = micro_batches(batch, self.parts)
                return self._step.gradient([self._placement.batch(part) for part in parts])
            except RuntimeError as error:
                if not is_out_of_memory(error) or self.parts >= len(batch.images):
                    raise
            # Here the error is gone, and with it the frames that hold what filled the memory.
            self._step.forget_gradient()
            self._start.restore()
            self._halve(len(batch.images))

    def _halve(self, images: int) -> None:
        self.parts = min(2 * self.parts, images)
        self.note = (
            f"the device's memory is too small for this batch of {images} images: "
            f"it was trained in {self.parts} parts"
        )
        self._tell(self.note)


class _Start:
    """Where a step began, but for what only the optimizer changes."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._device = device
        self._buffers = list(network.buffers())
        self._copies = [buffer.clone() for buffer in self._buffers]

    def keep(self) -> None:
        self._cpu = torch.get_rng_state()
        if self._device.type == "cuda":
            self._cuda = torch.cuda.get_rng_state(self._device)
        _copy(self._buffers, self._copies)

    def restore(self) -> None:
        _copy(self._copies, self._buffers)
        torch.set_rng_state(self._cpu)
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self._cuda, self._device)
            torch.cuda.empty_cache()


def _copy(source: list[torch.Tensor], target: list[torch.Tensor]) -> None:
    if source:
        with torch.no_grad():
            torch._foreach_copy_(target, source)
