"""The same numbers twice."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils import deterministic


@contextmanager
def repeatable(seed: int, device: torch.device, *, kernels: bool = True) -> Iterator[None]:
    """Dropout and kernels give the same numbers for the same seed; all is put back after.

    Args:
        seed: seed of dropout and the like.
        device: where the network is.
        kernels: whether, on CUDA, deterministic kernels are taken wherever torch has them. On
            the CPU all are.
    """
    cuda = [_index(device)] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), _deterministic_kernels(device, wanted=kernels):
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def _deterministic_kernels(device: torch.device, *, wanted: bool) -> Iterator[None]:
    if device.type != "cuda" or not wanted:
        yield
        return
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    benchmark = torch.backends.cudnn.benchmark
    with warnings.catch_warnings():
        # Where torch has no deterministic kernel it says so at every call.
        warnings.filterwarnings("ignore", message=".*deterministic.*", category=UserWarning)
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Nothing here reads memory that it has not written; filling it costs time.
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
            deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = benchmark


def _index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index
