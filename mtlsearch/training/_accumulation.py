"""Gradient accumulation over micro batches, with more of them if memory is exhausted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from mtlsearch.plugin import Batch
from mtlsearch.training._device import Placement
from mtlsearch.training._error_context import is_out_of_memory, require_full_batch
from mtlsearch.training._micro_batches import micro_batches
from mtlsearch.training._process_group import ProcessGroup
from mtlsearch.training._reproducibility import StepSnapshot
from mtlsearch.training._step import BatchLosses, StepOutcome, TrainingStep


class AccumulatingStep:
    """A step over micro batches whose gradients are summed.

    If memory is exhausted, the step is repeated with twice as many micro batches from the same
    weights, running statistics and random numbers. From that step on, the training is the one
    that a larger ``accumulation_steps`` gives. A balancer that needs whole batches excludes
    this, because its memory of the batch cannot be restored.

    Args:
        step: the step on one batch.
        network: the trained network, whose buffers are restored.
        placement: device and memory order of batches.
        num_micro_batches: initial number of micro batches per batch.
        process_group: the processes of this training; each one splits its part of every batch
            into that many micro batches.
        notify: called with a message for the user when the number changes.
    """

    def __init__(
        self,
        step: TrainingStep,
        network: nn.Module,
        placement: Placement,
        *,
        num_micro_batches: int,
        process_group: ProcessGroup,
        notify: Callable[[str], None],
    ) -> None:
        self.device = placement.device
        self.is_distributed = process_group.size > 1
        self.num_micro_batches = num_micro_batches
        self.note = ""
        self._step = step
        self._placement = placement
        self._snapshot = StepSnapshot(network, placement.device)
        self._process_group = process_group
        balancer = step.balancer
        self._full_batch_balancer = None if balancer is None else balancer.full_batch_balancer
        self._notify = notify

    def __call__(self, batch: Batch) -> StepOutcome | None:
        """Train on one batch, on the CPU; return None if it has no label.

        Raises:
            torch.OutOfMemoryError: the memory is too small for a single image.
            TrainingError: the memory is too small, and the batch must not be split.
        """
        self._snapshot.keep()
        counts = self._step.counts(batch)
        if not counts:
            return None
        with require_full_batch(self._full_batch_balancer):
            losses = self._gradient(batch, counts)
            return self._step.update(self._all_reduce(losses, counts))

    def epoch_ended(self) -> None:
        """Notify the balancer that an epoch has ended."""
        if self._step.balancer is not None:
            self._step.balancer.epoch_ended()

    @property
    def has_stateful_balancer(self) -> bool:
        """Whether a balancer may remember batches, which holds if it needs them whole."""
        return self._full_batch_balancer is not None

    def state(self) -> dict[str, Any]:
        """Return the state of the optimizer and of the accumulation, for :meth:`load_state`."""
        return {
            "step": self._step.state(),
            "num_micro_batches": self.num_micro_batches,
            "note": self.note,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Load a state of :meth:`state` that belongs to the same network.

        Raises:
            ValueError: a value is invalid.
        """
        count, note = state["num_micro_batches"], state["note"]
        if type(count) is not int or count < 1 or not isinstance(note, str):
            raise ValueError(f"`num_micro_batches` must be a positive integer, got {count!r}")
        self._step.load_state(state["step"])
        self.num_micro_batches, self.note = count, note

    def _gradient(self, batch: Batch, counts: Mapping[str, int]) -> BatchLosses | None:
        """Compute the gradient of this process's images; return None if they have no label."""
        local = self._process_group.local_batch(batch) if self.is_distributed else batch
        max_images = -(-len(batch.images) // self._process_group.size)
        while True:
            losses, is_full = None, False
            try:
                placed = [self._placement.batch(part) for part in self._split(local)]
                losses = self._step.gradient(placed, counts, len(batch.images))
            except RuntimeError as error:
                # Several processes have to raise together, see below.
                cannot_split = (
                    self.num_micro_batches >= max_images or self._full_batch_balancer is not None
                )
                if not is_out_of_memory(error) or (not self.is_distributed and cannot_split):
                    raise
                is_full = True
            if self.is_distributed:
                is_full = self._process_group.any(is_full, self.device)
            if not is_full:
                return losses
            if self.num_micro_batches >= max_images:
                raise torch.OutOfMemoryError("out of memory in one of the processes")
            # Outside of `except`, the error and the frames that hold the memory are freed.
            self._step.clear_gradient()
            self._snapshot.restore()
            self._split_further(max_images)

    def _split(self, batch: Batch | None) -> list[Batch]:
        """Return the micro batches of this process's images."""
        if batch is None or self.num_micro_batches == 1:
            return [] if batch is None else [batch]
        return micro_batches(batch, self.num_micro_batches)

    def _all_reduce(self, losses: BatchLosses | None, counts: Mapping[str, int]) -> BatchLosses:
        """Sum losses and gradients over all processes."""
        if not self.is_distributed and losses is not None:
            return losses
        numbers = torch.zeros(len(counts) + 1, device=self.device)
        if losses is not None:
            indices = [list(counts).index(task) for task in losses.counts]
            numbers[indices] = losses.means
            numbers[-1] = losses.total
        self._process_group.sum(numbers)
        self._process_group.sum_gradients(self._step.parameters)
        return BatchLosses(counts, numbers[:-1], numbers[-1])

    def _split_further(self, num_images: int) -> None:
        self.num_micro_batches = min(2 * self.num_micro_batches, num_images)
        self.note = (
            f"the memory of the device is too small for a batch of {num_images} images: "
            f"it is split into {self.num_micro_batches} micro batches"
        )
        self._notify(self.note)
