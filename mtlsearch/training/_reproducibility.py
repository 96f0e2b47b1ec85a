"""Reproducibility: seeds, deterministic kernels and snapshots of buffers and generators."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils import deterministic as torch_deterministic


@contextmanager
def reproducible(
    seed: int, device: torch.device, *, deterministic_kernels: bool = True
) -> Iterator[None]:
    """Seed torch's generators and select deterministic kernels; restore both at the end.

    Args:
        seed: seed of dropout and of other random layers.
        device: device of the network.
        deterministic_kernels: whether CUDA uses deterministic kernels where torch has them.
            On the CPU, all kernels are deterministic.
    """
    cuda_devices = [_index(device)] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices=cuda_devices),
        _deterministic_kernels(device, enabled=deterministic_kernels),
    ):
        torch.default_generator.manual_seed(seed)
        for index in cuda_devices:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def _deterministic_kernels(device: torch.device, *, enabled: bool) -> Iterator[None]:
    if device.type != "cuda" or not enabled:
        yield
        return
    was_enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch_deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    benchmark = torch.backends.cudnn.benchmark
    with warnings.catch_warnings():
        # Torch warns at every call of a kernel without a deterministic version.
        warnings.filterwarnings("ignore", message=".*deterministic.*", category=UserWarning)
        torch.use_deterministic_algorithms(True, warn_only=True)
        # No code here reads uninitialized memory, and filling it takes time.
        torch_deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was_enabled, warn_only=warn_only)
            torch_deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = benchmark


def _index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index


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
