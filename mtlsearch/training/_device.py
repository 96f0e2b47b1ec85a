"""Device, memory order and number format of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from mtlsearch.config import TrainConfig
from mtlsearch.errors import TrainingError
from mtlsearch.plugin import Batch

PrecisionName = Literal["auto", "fp32", "bf16", "fp16"]

CHANNELS_LAST_DEVICES = ("cpu", "cuda")
"""Devices on which convolutions are mostly faster with channels last."""

MIN_PIXELS = 2**16
"""Pixels per batch above which channels last is faster on a CPU.

Below, reordering the weights for each convolution costs more time than the convolution saves
(``benchmarks/choices.py``).
"""


@dataclass(frozen=True, slots=True)
class Placement:
    """Device and memory order of a network and its batches.

    Attributes:
        device: the device to compute on.
        channels_last: whether images and convolution weights are stored as ``NHWC``.
    """

    device: torch.device
    channels_last: bool

    def network(self, network: nn.Module) -> None:
        """Move a network to the device, in place.

        Args:
            network: the network.
        """
        network.to(self.device)
        if self.channels_last:
            network.to(memory_format=torch.channels_last)

    def batch(self, batch: Batch) -> Batch:
        """Move a batch to the device.

        Args:
            batch: the batch, images of shape ``[B, C, H, W]``.

        Returns:
            The batch on the device; images in channels-last order if so configured.
        """
        moved = batch.to(self.device)
        if not self.channels_last:
            return moved
        images = moved.images.contiguous(memory_format=torch.channels_last)
        return Batch(images, moved.targets)


@dataclass(frozen=True, slots=True)
class Precision:
    """Number format of matrix products and convolutions; weights are always float32.

    Attributes:
        dtype: bfloat16 or float16; None is float32.
    """

    dtype: torch.dtype | None = None

    @property
    def scales_loss(self) -> bool:
        """Whether the loss is scaled against underflow of gradients (float16 only)."""
        return self.dtype == torch.float16

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context in which the forward pass runs.

        Args:
            device: device of the network.

        Returns:
            An autocast context, disabled for float32.
        """
        return torch.autocast(device.type, dtype=self.dtype, enabled=self.dtype is not None)


def resolve_device(name: str) -> torch.device:
    """Return the device of a name.

    Args:
        name: a torch device, such as ``"cpu"`` or ``"cuda:0"``, or ``"auto"``: CUDA if it is
            available, else the CPU.

    Returns:
        The device.

    Raises:
        TrainingError: the name is invalid, or this machine does not have the device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _unavailable(name, "unknown kind of device") from error
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda":
        return _resolve_cuda(name, device)
    if device.type == "mps" and torch.backends.mps.is_available():
        return device
    raise _unavailable(name, f"this machine, or this build of torch, has no {device.type} device")


def resolve_placement(channels_last: bool | Literal["auto"], device: torch.device) -> Placement:
    """Return the placement for the run-file key ``train.channels_last``.

    Args:
        channels_last: value of the key; ``"auto"`` is true on devices where it is faster.
        device: the device to compute on.

    Returns:
        The placement.
    """
    if channels_last == "auto":
        return Placement(device, device.type in CHANNELS_LAST_DEVICES)
    return Placement(device, channels_last)


def resolve_precision(name: PrecisionName, device: torch.device) -> Precision:
    """Return the number format for the run-file key ``train.precision``.

    Args:
        name: value of the key. ``"auto"`` is bf16 on CUDA devices that support it, else fp32.
            On other devices, ``"fp16"`` is fp32, because float16 is slower there.
        device: the device to compute on.

    Returns:
        The number format.
    """
    if name == "bf16":
        return Precision(torch.bfloat16)
    if device.type != "cuda" or name == "fp32":
        return Precision()
    if name == "fp16":
        return Precision(torch.float16)
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Precision(torch.bfloat16 if has_bf16 else None)


def resolve_train_config(
    config: TrainConfig, size: tuple[int, int], device: torch.device
) -> TrainConfig:
    """Resolve ``channels_last: auto`` on a CPU by the number of pixels per micro batch.

    Args:
        config: the ``train`` section of a run file.
        size: ``(height, width)`` of the images in pixels.
        device: the device to train on.

    Returns:
        The config, unchanged on other devices or if ``channels_last`` is set.
    """
    if config.channels_last != "auto" or device.type != "cpu":
        return config
    pixels = config.batch_size // config.accumulation_steps * size[0] * size[1]
    return config.model_copy(update={"channels_last": pixels >= MIN_PIXELS})


def _resolve_cuda(name: str, device: torch.device) -> torch.device:
    if not torch.cuda.is_available():
        raise _unavailable(name, "this machine, or this build of torch, has no CUDA device")
    count = torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        raise _unavailable(name, f"this machine has {count} CUDA devices, numbered from 0")
    return device


def _unavailable(name: str, reason: str) -> TrainingError:
    cuda_devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return TrainingError(
        f"cannot train on device {name!r}: {reason}",
        where="--device",
        allowed=["auto", "cpu", *cuda_devices],
        next_step="set `--device auto` to use CUDA if it is available",
    )
