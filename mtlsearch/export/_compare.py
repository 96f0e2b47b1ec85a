"""Comparison of an exported format with the trained network."""

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
"""Maps images ``[B, C, H, W]`` to named arrays ``[B, ...]``."""

TOLERANCE = 1e-4
"""Largest allowed result of :func:`difference`."""
BATCH_SIZES = (1, 4)
"""Batch sizes at which formats are compared."""
MIN_SCALE = 1e-6
"""Tensors whose largest magnitude is smaller are compared relative to this value."""


def difference(actual: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return ``max |actual - expected| / max |expected|``.

    The difference is relative to the largest magnitude of the tensor, not element by element:
    a probability of 1e-9 next to one of 1 may change by its own size without any effect.

    Args:
        actual: values of the exported format.
        expected: values of the trained network.

    Returns:
        The relative difference; infinity if the shapes differ or a value is not finite.
    """
    if actual.shape != expected.shape:
        return float("inf")
    if not (np.isfinite(actual).all() and np.isfinite(expected).all()):
        return float("inf")
    if not expected.size:
        return 0.0
    scale = max(float(np.abs(expected).max()), MIN_SCALE)
    gap = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).max()
    return float(gap) / scale


def batches(images: Tensor) -> Iterator[Tensor]:
    """Yield the images in batches of each size of :data:`BATCH_SIZES`, without partial batches."""
    for size in BATCH_SIZES:
        for start in range(0, len(images) - size + 1, size):
            yield images[start : start + size]


def check_format(name: str, runner: Runner, network: Runner, images: Tensor) -> dict[str, float]:
    """Compare all tensors of an exported format with those of the network.

    Args:
        name: file name of the format, for messages.
        runner: the exported format.
        network: the trained network.
        images: prepared images ``[N, C, H, W]``.

    Returns:
        The largest difference over all batches, by tensor.

    Raises:
        ExportError: a tensor differs by more than :data:`TOLERANCE`, or is missing.
    """
    max_gap_by_tensor: dict[str, float] = {}
    for batch in batches(images):
        expected, actual = network(batch), runner(batch)
        if set(actual) != set(expected):
            raise ExportError(
                f"{name} returns the tensors {sorted(actual)}, the network {sorted(expected)}"
            )
        for tensor in expected:
            gap = difference(actual[tensor], expected[tensor])
            max_gap_by_tensor[tensor] = max(max_gap_by_tensor.get(tensor, 0.0), gap)
    _require_close(name, max_gap_by_tensor)
    return max_gap_by_tensor


def _require_close(name: str, max_gap_by_tensor: Mapping[str, float]) -> None:
    tensor, gap = max(max_gap_by_tensor.items(), key=lambda item: item[1], default=("", 0.0))
    if gap > TOLERANCE:
        raise ExportError(
            f"{name} differs from the trained network: {tensor} by {gap:.2g} of its largest value",
            allowed=[f"up to {TOLERANCE:g}, at batch sizes {' and '.join(map(str, BATCH_SIZES))}"],
            next_step="set --trial to another trial, and report the backbone and tasks as a bug",
        )


def as_arrays(tensors: Mapping[str, Tensor]) -> Arrays:
    """Convert tensors to numpy arrays."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def module_runner(module: torch.nn.Module) -> Runner:
    """Return a runner for a module whose output is a dict of tensors."""

    def run(images: Tensor) -> Arrays:
        with torch.no_grad():
            return as_arrays(module(images))

    return run
