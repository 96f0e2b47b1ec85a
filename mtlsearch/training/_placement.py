"""Where a network and its batches lie, and in which memory order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from mtlsearch.config import TrainConfig
from mtlsearch.plugin import Batch

FAST = ("cpu", "cuda")
"""Devices on which convolutions are mostly faster with channels last."""

ENOUGH = 2**16
"""Pixels of a batch from which on that holds on a CPU too. With fewer, putting weights in order for
each convolution takes longer than convolving gains (``benchmarks/choices.py``)."""


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


def resolve_train_config(
    config: TrainConfig, size: tuple[int, int], device: torch.device
) -> TrainConfig:
    """The run file's ``train`` with what ``channels_last: auto`` means for images of a size.

    Args:
        config: that part of the run file.
        size: ``(height, width)`` of the images in pixels.
        device: where to train.
    """
    if config.channels_last != "auto" or device.type != "cpu":
        return config
    pixels = config.batch_size // config.accumulation_steps * size[0] * size[1]
    return config.model_copy(update={"channels_last": pixels >= ENOUGH})


def resolve_placement(channels_last: bool | Literal["auto"], device: torch.device) -> Placement:
    """What a run file's ``channels_last`` means on a device; ``auto`` is yes where it is fast."""
    if channels_last == "auto":
        return Placement(device, device.type in FAST)
    return Placement(device, channels_last)
