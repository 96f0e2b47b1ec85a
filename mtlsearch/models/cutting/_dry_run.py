"""Dry runs: a forward pass of a model copy without weights, on PyTorch's meta device."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")
ModuleT = TypeVar("ModuleT", bound=nn.Module)


def dry_run(
    model: nn.Module,
    image_size: tuple[int, int],
    run: Callable[[nn.Module, Tensor], T],
    channels: int = 3,
) -> T:
    """Run a copy of a model on one image of zeros.

    The copy is on the meta device, where a forward pass computes shapes only. A model whose
    forward pass reads values of tensors fails there and is copied to the CPU instead.

    Args:
        model: the model; it does not change.
        image_size: ``(height, width)`` of the image in pixels.
        run: called with the copy and the image ``[1, C, H, W]``.
        channels: number of channels of the image.

    Returns:
        The value that ``run`` returns.
    """
    dtype, shape = dtype_of(model), (1, channels, *image_size)
    try:
        return run(to_meta(model), torch.zeros(shape, device="meta", dtype=dtype))
    except RuntimeError:  # the model reads values, which a meta tensor does not have
        cpu_model = copy.deepcopy(model).cpu().eval().requires_grad_(False)
        return run(cpu_model, torch.zeros(shape, dtype=dtype))


def dtype_of(module: nn.Module) -> torch.dtype:
    """Return the dtype of a module's first parameter.

    Args:
        module: the module.

    Returns:
        The dtype; PyTorch's default dtype if the module has no parameters.
    """
    first = next(module.parameters(), None)
    return torch.get_default_dtype() if first is None else first.dtype


def to_meta(model: ModuleT) -> ModuleT:
    """Copy a model to the meta device without copying its weights.

    Args:
        model: the model; it does not change.

    Returns:
        The copy, in evaluation mode and without gradients. Modules and parameters that the
        model uses in several places are used in the same places of the copy.
    """
    # deepcopy uses the memo's entry in place of a tensor, so that no weight is copied.
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        empty = tensor.detach().to("meta")
        if isinstance(tensor, nn.Parameter):
            memo[id(tensor)] = nn.Parameter(empty, requires_grad=False)
        else:
            memo[id(tensor)] = empty
    return copy.deepcopy(model, memo).eval()
