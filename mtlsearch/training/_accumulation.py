"""Steps in as many parts as the device's memory asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from mtlsearch.plugin import Batch
from mtlsearch.training._buffers import BufferSnapshot
from mtlsearch.training._failures import is_out_of_memory, require_full_batch
from mtlsearch.training._micro_batches import micro_batches
from mtlsearch.training._placement import Placement
from mtlsearch.training._process_group import ProcessGroup
from mtlsearch.training._step import BatchLosses, StepOutcome, TrainingStep


class AccumulatingStep:
    """Takes a step in parts whose gradients add up, and in more of them where memory runs out.

    A step that did not fit is taken again from where it began: the same weights, running
    statistics and random numbers. So from the step on in which memory ran out, a training
    is one with that many parts. A balancer that needs whole batches forbids that: what it has
    seen of a batch is not taken back either.

    Args:
        step: the step.
        network: what it trains; its buffers are put back.
        placement: where batches go.
        parts: in how many parts a batch comes at first.
        ranks: who trains with this process: each takes a part of every batch, in as many
            parts again.
        tell: is told, for people, that a batch comes in more parts from now on.
    """

    def __init__(
        self,
        step: TrainingStep,
        network: nn.Module,
        placement: Placement,
        *,
        parts: int,
        ranks: ProcessGroup,
        notify: Callable[[str], None],
    ) -> None:
        self.device = placement.device
        self._step = step
        self._placement = placement
        self._start = StepSnapshot(network, placement.device)
        self._ranks = ranks
        self.is_distributed = ranks.count > 1
        self._whole_for = step.balancing.whole_batches_for
        self._tell = notify
        self.parts = parts
        self.note = ""

    def __call__(self, batch: Batch) -> StepOutcome | None:
        """Train on one batch; None if it has no label at all.

        Raises:
            torch.OutOfMemoryError: not even one image fits.
            TrainingError: the batch does not fit, and may not come in parts.
        """
        self._start.keep()
        counts = self._step.counts(batch)
        if not counts:
            return None
        with require_full_batch(self._whole_for):
            return self._step.update(self._pooled(self._gradient(batch, counts), counts))

    def epoch_ended(self) -> None:
        """A pass over the training split has ended."""
        self._step.balancing.epoch_ended()

    @property
    def balancers(self) -> bool:
        """Whether a balancer is at work that may remember batches: one that wants them whole."""
        return self._whole_for is not None

    def state(self) -> dict[str, Any]:
        """What steps leave behind besides the weights; :meth:`load_state` takes it."""
        return {"step": self._step.state(), "parts": self.parts, "note": self.note}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave for the same network."""
        self._step.load_state(state["step"])
        self.parts, self.note = state["parts"], state["note"]

    def _gradient(self, batch: Batch, counts: Mapping[str, int]) -> BatchLosses | None:
        """The gradient of this process's images; None if they have no label."""
        own = self._ranks.part(batch)
        images = -(-len(batch.images) // self._ranks.count)
        while True:
            losses, full = None, False
            try:
                parts = [] if own is None else micro_batches(own, self.parts)
                placed = [self._placement.batch(part) for part in parts]
                losses = self._step.gradient(placed, counts, len(batch.images))
            except RuntimeError as error:
                # Where several processes train, they give up together, below.
                alone = self._ranks.count == 1
                final = self.parts >= images or self._whole_for is not None
                if not is_out_of_memory(error) or (alone and final):
                    raise
                full = True
            if not self._ranks.any(full, self.device):
                return losses
            if self.parts >= images:
                raise torch.OutOfMemoryError("out of memory in one of the processes")
            # Here the error is gone, and with it the frames that hold what filled the memory.
            self._step.forget_gradient()
            self._start.restore()
            self._halve(images)

    def _pooled(self, losses: BatchLosses | None, counts: Mapping[str, int]) -> BatchLosses:
        """Losses and gradients of all processes' images together."""
        if self._ranks.count == 1 and losses is not None:
            return losses
        numbers = torch.zeros(len(counts) + 1, device=self.device)
        if losses is not None:
            places = [list(counts).index(task) for task in losses.counts]
            numbers[places] = losses.means
            numbers[-1] = losses.total
        self._ranks.sum(numbers)
        self._ranks.sum_gradients(self._step.parameters)
        return BatchLosses(counts, numbers[:-1], numbers[-1])

    def _halve(self, images: int) -> None:
        self.parts = min(2 * self.parts, images)
        self.note = (
            f"the device's memory is too small for this batch of {images} images: "
            f"it was trained in {self.parts} parts"
        )
        self._tell(self.note)


class StepSnapshot:
    """Where a step began, but for what only the optimizer changes."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._device = device
        self._buffers = BufferSnapshot(network)

    def keep(self) -> None:
        self._cpu = torch.get_rng_state()
        if self._device.type == "cuda":
            self._cuda = torch.cuda.get_rng_state(self._device)
        self._buffers.keep()

    def restore(self) -> None:
        self._buffers.restore()
        torch.set_rng_state(self._cpu)
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self._cuda, self._device)
            torch.cuda.empty_cache()
