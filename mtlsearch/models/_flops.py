"""Work and size of modules, measured."""

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
    """Floating-point operations of ``run(*inputs)``: 2 x multiply-adds, forward only.

    Matrix products, convolutions and attention are counted, as torch's flop counter does;
    what is done element by element is not.
    """
    counter = FlopCounterMode(display=False)
    # Without gradients the counter stumbles over views of parameters (a class token, expanded).
    # Not every torch's counter knows the CPU's fused attention; as matrix products it is counted
    # the same on every device.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        run(*inputs)
    return int(counter.get_total_flops())


def count_parameters(module: nn.Module) -> int:
    """Scalars in a module's parameters, shared ones once."""
    return sum(parameter.numel() for parameter in module.parameters())


def head_cost(head: nn.Module | Callable[[], nn.Module], features: FeatureSpec) -> Cost:
    """What a head costs on the levels of a backbone, for one image.

    It is run on the meta device, or on the CPU if it cannot run there.

    Args:
        head: the head, or a function that makes one. Torch's global generator is left as it
            was; a head that is handed in is not touched.
        features: the levels it is given.
    """
    if not isinstance(head, nn.Module):
        with torch.random.fork_rng(devices=[]):
            head = head()
    parameters = count_parameters(head)
    dtype = dtype_of(head)
    try:
        flops = count_flops(to_meta(head), _levels(features, "meta", dtype))
    except RuntimeError:  # it looks at values, which meta has none of
        on_cpu = copy.deepcopy(head).to("cpu").eval().requires_grad_(False)
        flops = count_flops(on_cpu, _levels(features, "cpu", dtype))
    return Cost(parameters, flops)


def _levels(features: FeatureSpec, device: str, dtype: torch.dtype) -> list[Tensor]:
    """One image's levels ``[1, C, h, w]``, all zeros."""
    return [
        torch.zeros(1, level.channels, *size, device=device, dtype=dtype)
        for level, size in zip(features.levels, features.sizes, strict=True)
    ]
