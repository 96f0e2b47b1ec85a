"""Snapshots of what a step changes besides the parameters."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn


class BufferSnapshot:
    """A copy of the buffers of a network, such as running statistics.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        by_type: dict[tuple[torch.device, torch.dtype], list[Tensor]] = defaultdict(list)
        for buffer in network.buffers():
            by_type[buffer.device, buffer.dtype].append(buffer)
        self._buffers = list(by_type.values())
        self._copies = [[buffer.clone() for buffer in group] for group in self._buffers]

    def keep(self) -> None:
        """Copy the current buffers."""
        _copy(self._buffers, self._copies)

    def restore(self) -> None:
        """Restore the buffers of the last copy."""
        _copy(self._copies, self._buffers)


class StepSnapshot:
    """A copy of the buffers and generator states before a step.

    Args:
        network: the network.
        device: device of the network.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._device = device
        self._buffers = BufferSnapshot(network)

    def keep(self) -> None:
        """Copy the current state."""
        self._cpu_state = torch.get_rng_state()
        if self._device.type == "cuda":
            self._cuda_state = torch.cuda.get_rng_state(self._device)
        self._buffers.keep()

    def restore(self) -> None:
        """Restore the state of the last copy, and free cached GPU memory."""
        self._buffers.restore()
        torch.set_rng_state(self._cpu_state)
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self._cuda_state, self._device)
            torch.cuda.empty_cache()


def _copy(source: list[list[Tensor]], target: list[list[Tensor]]) -> None:
    """Copy tensors, grouped by device and dtype; torch copies mixed lists one by one."""
    with torch.no_grad():
        for originals, copies in zip(source, target, strict=True):
            torch._foreach_copy_(copies, originals)
