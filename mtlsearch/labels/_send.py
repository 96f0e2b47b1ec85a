"""Tensors on their way to where they are computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; a GPU that is still at work is not waited for.

    From ordinary memory a copy to a GPU waits for all that it was given before, so it goes by
    way of pinned memory, which torch keeps until the copy is done.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
