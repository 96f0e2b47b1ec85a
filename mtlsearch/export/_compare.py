"""Comparison of an exported format with the trained network."""

from __future__ import annotations

import copy
import math
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
PERTURBATION = 1e-6
"""Relative change of weights and images by which :func:`sensitivity` measures rounding: about
eight units in the last place of float32."""
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


def sensitivity(module: torch.nn.Module, images: Tensor) -> dict[str, float]:
    """Return how much the outputs change if weights and images change by rounding.

    A softmax of large logits, or the exponential of a logarithm, multiplies rounding errors. The
    order of summation, which differs between runtimes, then changes the outputs by more than
    :data:`TOLERANCE`, whatever the format.

    Args:
        module: the network, in eval mode; its output is a dict of tensors.
        images: prepared images ``[N, C, H, W]``.

    Returns:
        The largest result of :func:`difference` over some random changes, by tensor.
    """
    generator = torch.Generator().manual_seed(0)

    def perturb(tensor: Tensor) -> Tensor:
        noise = torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) * 2 - 1
        return tensor * (1 + PERTURBATION * noise)

    expected = module_runner(module)(images)
    changes = dict.fromkeys(expected, 0.0)
    for _ in range(3):
        perturbed = copy.deepcopy(module)
        with torch.no_grad():
            for parameter in perturbed.parameters():
                parameter.copy_(perturb(parameter))
        for name, array in module_runner(perturbed)(perturb(images)).items():
            changes[name] = max(changes[name], difference(array, expected[name]))
    return changes


def check_format(
    name: str,
    runner: Runner,
    network: Runner,
    images: Tensor,
    noise: Callable[[], Mapping[str, float]] = dict,
) -> dict[str, float]:
    """Compare all tensors of an exported format with those of the network.

    Args:
        name: file name of the format, for messages.
        runner: the exported format.
        network: the trained network.
        images: prepared images ``[N, C, H, W]``.
        noise: returns the difference by rounding of each tensor, see :func:`sensitivity`. It is
            called if a tensor differs by more than :data:`TOLERANCE`.

    Returns:
        The largest difference over all batches, by tensor.

    Raises:
        ExportError: a tensor differs by more than :data:`TOLERANCE` and by more than rounding,
            or is missing.
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
    if max(max_gap_by_tensor.values(), default=0.0) > TOLERANCE:
        allowed = noise()
        _require_close(
            name,
            {
                tensor: gap
                for tensor, gap in max_gap_by_tensor.items()
                if not gap <= allowed.get(tensor, 0.0) < math.inf
            },
        )
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
