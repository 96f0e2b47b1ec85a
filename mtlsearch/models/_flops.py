"""FLOPs and parameters of modules, counted in a forward pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mtlsearch.models.cutting import dtype_of, to_meta
from mtlsearch.plan import Cost, FeatureSpec


def count_flops(run: Callable[..., Any], *inputs: Any) -> int:
    """Count the FLOPs of a forward pass, two per multiply-add.

    Matrix products, convolutions and attention count, as in PyTorch's FLOP counter.
    Elementwise operations do not count.

    Args:
        run: a module or a function that runs one.
        inputs: its arguments.

    Returns:
        Floating-point operations of ``run(*inputs)``.
    """
    counter = FlopCounterMode(display=False)
    # Without gradients the counter fails on views of parameters, such as an expanded class token.
    # Some PyTorch versions do not count the CPU's fused attention. As matrix products it counts
    # the same on every device.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        run(*inputs)
    return int(counter.get_total_flops())


def count_parameters(module: nn.Module) -> int:
    """Count the parameters of a module; shared ones count once.

    Args:
        module: the module.

    Returns:
        Number of scalars.
    """
    return sum(parameter.numel() for parameter in module.parameters())


def head_cost(head: nn.Module | Callable[[], nn.Module], features: FeatureSpec) -> Cost:
    """Count the parameters and FLOPs of a head for one image.

    The head runs on the meta device, or on the CPU if its forward pass reads values.

    Args:
        head: the head, which does not change, or a function that creates one. PyTorch's global
            random generator does not change either.
        features: the feature levels that the head gets.

    Returns:
        Parameters and FLOPs.
    """
    if not isinstance(head, nn.Module):
        with torch.random.fork_rng(devices=[]):
            head = head()
    parameters = count_parameters(head)
    dtype = dtype_of(head)
    try:
        flops = count_flops(to_meta(head), _zero_levels(features, "meta", dtype))
    except RuntimeError:  # the head reads values, which a meta tensor does not have
        on_cpu = copy.deepcopy(head).to("cpu").eval().requires_grad_(False)
        flops = count_flops(on_cpu, _zero_levels(features, "cpu", dtype))
    return Cost(parameters, flops)


def _zero_levels(features: FeatureSpec, device: str, dtype: torch.dtype) -> list[Tensor]:
    """Return the levels ``[1, C, h, w]`` of one image, filled with zeros."""
    return [
        torch.zeros(1, level.channels, *size, device=device, dtype=dtype)
        for level, size in zip(features.levels, features.sizes, strict=True)
    ]
