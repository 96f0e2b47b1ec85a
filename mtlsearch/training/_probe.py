"""Looking at a network while it is trained."""

from __future__ import annotations

from typing import Protocol

from mtlsearch.plugin import Batch


class StepProbe(Protocol):
    """Looks at a network in training mode before each of its steps."""

    def __call__(self, done: int, batch: Batch) -> None:
        """A step is about to be taken.

        Weights, buffers and random numbers are left as they were found, so that a training
        that is looked at is the one that is not.

        Args:
            done: steps so far, over all epochs.
            batch: what the step will be taken on, whole, on the device.
        """
