"""Whether an exported format computes what the trained network does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mtlsearch.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[np.float32]"]
Runner = Callable[[Tensor], Arrays]
"""Images ``[B, 3, H, W]`` to named arrays ``[B, ...]``."""

TOLERANCE = 1e-4
BATCH_SIZES = (1, 4)
FLOOR = 1e-6
"""Tensors smaller than this throughout are compared by it, not by themselves."""


def difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """``max |found - expected| / max |expected|``.

    Infinite where the shapes differ, or a number is not finite. Relative to the tensor's
    largest magnitude, not element by element: a probability of 1e-9 beside one of 1 may be
    off by its own size and changes nothing.
    """
    if found.shape != expected.shape:
        return float("inf")
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return float("inf")
    if not expected.size:
        return 0.0
    scale = max(float(np.abs(expected).max()), FLOOR)
    gap = np.abs(found.astype(np.float64) - expected.astype(np.float64)).max()
    return float(gap) / scale


def batches(images: Tensor) -> Iterator[Tensor]:
    """The images in batches of every size of :data:`BATCH_SIZES`; a last, smaller one is left."""
    for size in BATCH_SIZES:
        for start in range(0, len(images) - size + 1, size):
            yield images[start : start + size]


def check_format(name: str, runner: Runner, network: Runner, images: Tensor) -> dict[str, float]:
    """The largest difference of every tensor over all batches.

    Args:
        name: the format, for messages.
        runner: the exported format.
        network: the trained network.
        images: ``[N, 3, H, W]``.

    Raises:
        ExportError: a tensor differs by more than :data:`TOLERANCE`, or one is missing.
    """
    worst: dict[str, float] = {}
    for batch in batches(images):
        expected, found = network(batch), runner(batch)
        if set(found) != set(expected):
            raise ExportError(f"{name} gives {sorted(found)}, the network {sorted(expected)}")
        for tensor in expected:
            gap = difference(found[tensor], expected[tensor])
            worst[tensor] = max(worst.get(tensor, 0.0), gap)
    if bad := {tensor: gap for tensor, gap in worst.items() if gap > TOLERANCE}:
        tensor, gap = max(bad.items(), key=lambda item: item[1])
        raise ExportError(
            f"{name} differs from the trained network: {tensor} by {gap:.2g} of its largest value",
            allowed=[f"up to {TOLERANCE:g}, at batch sizes {' and '.join(map(str, BATCH_SIZES))}"],
            next_step="no bundle was written; export another trial with --trial, and report "
            "the backbone and the tasks",
        )
    return worst


def as_arrays(tensors: Mapping[str, Tensor]) -> Arrays:
    """Tensors as numpy arrays."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def module_runner(module: torch.nn.Module) -> Runner:
    """A runner from a module that gives named tensors."""

    def run(images: Tensor) -> Arrays:
        with torch.no_grad():
            return as_arrays(module(images))

    return run
