"""What training asks of the data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mtlsearch.plugin import Batch


class TrainingData(Protocol):
    """Batches of a training and a validation split; the data floor's module is one."""

    def train_batches(self, epoch: int, batch_size: int) -> Iterable[Batch]:
        """The batches of one epoch, shuffled and augmented; a function of seed and epoch."""

    def eval_batches(self, split: str, batch_size: int) -> Iterable[Batch]:
        """Every image of a split once, in order."""

    def size(self, split: str) -> int:
        """How many images a split has."""

    def train_steps(self, batch_size: int) -> int:
        """How many batches an epoch has."""
