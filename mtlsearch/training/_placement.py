"""Where a network and its batches lie, and in which memory order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from mtlsearch.plugin import Batch

FAST = ("cpu", "cuda")  # where convolutions are no slower, mostly faster, with channels last


@dataclass(frozen=True, slots=True)
class Placement:
    """A device, and the memory order that is fast there.

    Attributes:
        device: where to compute.
        channels_last: whether images and the weights of convolutions lie ``NHWC``.
    """

    device: torch.device
    channels_last: bool

    def network(self, network: nn.Module) -> None:
        """Move a network there, in place."""
        network.to(self.device)
        if self.channels_last:
            network.to(memory_format=torch.channels_last)

    def batch(self, batch: Batch) -> Batch:
        """The batch there."""
        moved = batch.to(self.device)
        if not self.channels_last:
            return moved
        images = moved.images.contiguous(memory_format=torch.channels_last)
        return Batch(images, moved.targets)


def resolve_placement(channels_last: bool | Literal["auto"], device: torch.device) -> Placement:
    """What a run file's ``channels_last`` means on a device; ``auto`` is yes where it is fast."""
    if channels_last == "auto":
        return Placement(device, device.type in FAST)
    return Placement(device, channels_last)
