"""Channels of a pruned network, from the shapes of its stored weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mtlsearch.errors import RunError

Shape = tuple[int, ...]


def fit_channels(network: nn.Module, shapes: Mapping[str, Shape]) -> None:
    """Give convolutions, linear layers and BatchNorms the channels of stored weights.

    The weights themselves are undefined afterwards and must be loaded.

    Args:
        network: the network before pruning, changed in place.
        shapes: shape of each stored tensor by its name in the state dict.

    Raises:
        RunError: a tensor is larger than before pruning, or a layer cannot have other channels.
    """
    for prefix, module in network.named_modules():
        is_depthwise = _is_depthwise(module)
        tensors = [
            *module.named_parameters(prefix, recurse=False),
            *module.named_buffers(prefix, recurse=False),
        ]
        changed = [
            (name, tensor, shapes[name])
            for name, tensor in tensors
            if name in shapes and tuple(tensor.shape) != tuple(shapes[name])
        ]
        for name, tensor, shape in changed:
            _check(module, name, tuple(tensor.shape), shape)
            resized = torch.empty(shape, dtype=tensor.dtype, device=tensor.device)
            if isinstance(tensor, nn.Parameter):
                resized = nn.Parameter(resized, requires_grad=tensor.requires_grad)
            setattr(module, name.rpartition(".")[2], resized)
        if changed:
            _set_counts(module, is_depthwise)


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and (
        1 < module.groups == module.in_channels == module.out_channels
    )


def _check(module: nn.Module, name: str, before: Shape, after: Shape) -> None:
    is_smaller = len(before) == len(after) and all(
        0 < size <= limit for size, limit in zip(after, before, strict=True)
    )
    if not is_smaller or not isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm):
        raise RunError(
            f"the weights belong to another network: `{name}` has the shape {list(after)}, and "
            f"pruning cannot make it from {list(before)}",
            next_step="restore the run file and the plugins that the weights were trained with",
        )


def _set_counts(module: nn.Module, is_depthwise: bool) -> None:
    """Set the attributes with the numbers of channels from the weights."""
    if isinstance(module, nn.Conv2d):
        module.out_channels = module.weight.shape[0]
        if is_depthwise:
            module.groups = module.out_channels
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _BatchNorm):
        # Each BatchNorm of a pruned group has running statistics or weights of the new size.
        present = next(
            tensor
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False))
            if tensor.ndim
        )
        module.num_features = len(present)
