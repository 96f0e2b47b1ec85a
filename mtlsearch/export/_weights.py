"""Weights of a network as a safetensors file."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from torch import nn


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of a network; a tensor that several modules share is written once.

    Args:
        network: the network.
        path: the file to write.
    """
    path.touch()
    mode = path.stat().st_mode
    save_model(network, str(path))
    path.chmod(mode)  # safetensors makes the file readable by its owner only.


def reload_weights(network: nn.Module, path: Path) -> nn.Module:
    """Return a copy of a network whose weights come from a file.

    All tensors of the copy are overwritten first, floating-point ones with NaN. A tensor that
    the file does not restore then changes the outputs.

    Args:
        network: the network, which stays unchanged.
        path: a file of :func:`save_weights`.

    Returns:
        The copy, in eval mode.

    Raises:
        RuntimeError: the file lacks a tensor, or contains one that the network lacks.
    """
    restored = copy.deepcopy(network)
    with torch.no_grad():
        for tensor in restored.state_dict().values():
            tensor.fill_(float("nan") if tensor.is_floating_point() else 0)
    load_model(restored, str(path), strict=True)
    return restored.eval()
