"""Weights on disk, as safetensors."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from mtlsearch.errors import RunError
from mtlsearch.files import atomic_write


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's weights; what several tasks share is stored once.

    The file appears whole or not at all.
    """
    with atomic_write(path) as temporary:
        save_model(network, str(temporary))


def load_weights(network: nn.Module, path: Path) -> None:
    """Read what :func:`save_weights` wrote into a network of the same architecture.

    Raises:
        RunError: there is no such file, it is broken, or it is another network's.
    """
    if not path.is_file():
        raise RunError("there are no weights", where=str(path))
    try:
        load_model(network, str(path), device=str(_device_of(network)))
    except SafetensorError as error:
        raise RunError(f"the weights cannot be read: {error}", where=str(path)) from error
    except RuntimeError as error:
        raise RunError(
            f"the weights are another network's: {_first_line(error)}",
            where=str(path),
            next_step="the run file or a plugin has changed since they were written",
        ) from error


def _device_of(network: nn.Module) -> str:
    return str(next((parameter.device for parameter in network.parameters()), "cpu"))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])
