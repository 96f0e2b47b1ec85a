"""Batches of images and targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, Union

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, without waiting for a GPU that is busy.

    A copy from pageable memory to a GPU waits for all work queued there. So the tensor is copied
    to pinned memory first, which torch keeps until the transfer is done.

    Args:
        tensor: any tensor.
        device: target device.

    Returns:
        The tensor on ``device``; the same object if it is already there.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


@dataclass(frozen=True, slots=True, eq=False)
class BoxTargets:
    """True boxes of one image.

    Attributes:
        xyxy: left, top, right, bottom in pixels of the network's input, float32 ``[N, 4]``.
        classes: class index of each box, int64 ``[N]``.
        crowd: whether a box is a crowd, bool ``[N]``.
    """

    xyxy: Tensor
    classes: Tensor
    crowd: Tensor

    def to(self, device: torch.device) -> BoxTargets:
        """Return the boxes on a device.

        Args:
            device: target device.

        Returns:
            New targets with all tensors on ``device``.
        """
        return BoxTargets(
            to_device(self.xyxy, device),
            to_device(self.classes, device),
            to_device(self.crowd, device),
        )


TargetValues: TypeAlias = Union["Tensor", tuple[BoxTargets, ...]]
"""Labels of ``n`` samples, by form:

============  ============================================
CATEGORY      int64 ``[n]``
CATEGORIES    float32 ``[n, C]`` of zeros and ones
BOXES         a tuple of ``n`` :class:`BoxTargets`
MASK          int64 ``[n, H, W]``, ``ignore_index`` = void
MAP           float32 ``[n, K, H, W]``
============  ============================================
"""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Values of one label for the samples of a batch that have it.

    Attributes:
        rows: ascending indices of these samples in the batch, int64 ``[n]``, ``n >= 1``, on
            the CPU.
        values: their labels.
    """

    rows: Tensor
    values: TargetValues

    def to(self, device: torch.device) -> Targets:
        """Return the targets on a device.

        Args:
            device: target device.

        Returns:
            New targets with the values on ``device``; the rows stay on the CPU.
        """
        values: TargetValues
        if isinstance(self.values, tuple):
            values = tuple(boxes.to(device) for boxes in self.values)
        else:
            values = to_device(self.values, device)
        return Targets(self.rows, values)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images of one optimizer step and their labels.

    Attributes:
        images: float32 ``[B, 3, H, W]``, normalized with the mean and std of the backbone.
        targets: targets by label name; a label that all images lack has no entry.
    """

    images: Tensor
    targets: Mapping[str, Targets]

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device.

        Args:
            device: target device.

        Returns:
            A new batch with images and labels on ``device``.
        """
        return Batch(
            to_device(self.images, device),
            {name: targets.to(device) for name, targets in self.targets.items()},
        )
