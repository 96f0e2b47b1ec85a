"""Weights as safetensors."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from torch import nn


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's weights; tensors that several modules share are written once."""
    path.touch()
    mode = path.stat().st_mode
    save_model(network, str(path))
    path.chmod(mode)  # safetensors lets nobody but its owner read the file


def reload_weights(network: nn.Module, path: Path) -> nn.Module:
    """A copy of ``network`` that has nothing but the weights of a file.

    Every tensor of the copy is overwritten first, with NaN where it can, so that one the
    file does not restore shows in the outputs.

    Raises:
        RuntimeError: the file lacks a tensor or has one too many.
    """
    fresh = copy.deepcopy(network)
    with torch.no_grad():
        for tensor in fresh.state_dict().values():
            tensor.fill_(float("nan") if tensor.is_floating_point() else 0)
    load_model(fresh, str(path), strict=True)
    return fresh.eval()
