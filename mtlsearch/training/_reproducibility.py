"""Reproducibility: the same seed gives the same numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
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
