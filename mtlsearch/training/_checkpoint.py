"""Weights and checkpoints on disk."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from mtlsearch.errors import RunError
from mtlsearch.files import atomic_write
from mtlsearch.training._accumulation import AccumulatingStep
from mtlsearch.training._interfaces import EpochRecord
from mtlsearch.training._process_group import ProcessGroup

MIN_RATIO = 50
"""Time between two checkpoints, relative to the time of saving one."""


@dataclass(frozen=True, slots=True)
class Checkpointing:
    """Epoch after which a training pauses, the file of its checkpoint, and how often to write it.

    Attributes:
        stop_after: number of epochs, counted from the first, after which the call returns; the
            number of all epochs does not pause.
        path: file of the checkpoint. A training resumes from it if it exists, and starts from
            the first epoch, with the same result, if it does not.
        interval: seconds of training after which an epoch ends with a checkpoint, so that another
            process can continue a training that is killed; None for a checkpoint at the pause
            only. Saving takes at most 2 % of the time: after a slow one the interval is longer.
        on_saved: called with the file after each checkpoint; None for no call.
    """

    stop_after: int
    path: Path
    interval: float | None = None
    on_saved: Callable[[Path], None] | None = None

    def can_save(self, step: AccumulatingStep) -> bool:
        """Return whether a checkpoint is possible; the state of a balancer cannot be saved.

        Args:
            step: the step of the training.

        Returns:
            False if a balancer may have state.
        """
        return not step.has_stateful_balancer


class EpochCheckpoints:
    """Clock of the checkpoints between two pauses.

    Args:
        interval: seconds between two checkpoints; None for no checkpoints.
    """

    def __init__(self, interval: float | None) -> None:
        self._interval = interval
        self._last = time.monotonic()

    def save_if_due(self, save: Callable[[], None]) -> None:
        """Save if the interval is over.

        Args:
            save: writes a checkpoint.
        """
        start = time.monotonic()
        if self._interval is None or start - self._last < self._interval:
            return
        save()
        self._last = time.monotonic()
        self._interval = max(self._interval, MIN_RATIO * (self._last - start))


def save_checkpoint(
    path: Path,
    network: nn.Module,
    step: AccumulatingStep,
    epochs: Sequence[EpochRecord],
    num_steps: int,
    average: nn.Module | None = None,
) -> None:
    """Write everything that the next step depends on, atomically.

    The learning rate is not included: it follows from the number of completed steps.
    """
    state = {
        "network": network.state_dict(),
        "step": step.state(),
        "average": None if average is None else average.state_dict(),
        "epochs": [_as_dicts(asdict(record)) for record in epochs],
        "num_steps": num_steps,
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(step.device) if step.device.type == "cuda" else None,
    }
    # Through a file of Python, the error of a full disk is one of the operating system.
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)


def load_checkpoint(
    path: Path,
    network: nn.Module,
    step: AccumulatingStep,
    process_group: ProcessGroup,
    average: nn.Module | None = None,
) -> tuple[tuple[EpochRecord, ...], int]:
    """Restore a training from a checkpoint.

    Returns:
        Records of the completed epochs and the number of completed steps; none if any process
        of the group has no checkpoint.

    Raises:
        RunError: the file is broken or belongs to another network.
    """
    is_missing = not path.is_file()
    if step.is_distributed:
        is_missing = process_group.any(is_missing, step.device)
    if is_missing:
        return (), 0
    try:
        state = _require_state(torch.load(path, map_location="cpu", weights_only=True))
        _require_like(state["network"], network.state_dict(), "network")
        if average is not None:
            _require_like(state["average"], average.state_dict(), "average")
        epochs, num_steps = _read_progress(state)
        network.load_state_dict(state["network"])
        step.load_state(state["step"])
        if average is not None:
            average.load_state_dict(state["average"])
        torch.set_rng_state(state["cpu"])
        if state["cuda"] is not None and step.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], step.device)
    except _BROKEN as error:
        raise RunError(
            f"cannot resume the training from this checkpoint ({type(error).__name__}: "
            f"{str(error).partition(chr(10))[0]})",
            where=str(path),
            next_step="delete the file to train the trial from its first epoch",
        ) from error
    return epochs, num_steps


# Errors of torch for files that are damaged, or written by another program.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
    struct.error,
)

_KEYS = ("network", "step", "average", "epochs", "num_steps", "cpu", "cuda")
"""Keys of a checkpoint."""


def _require_state(state: object) -> dict[str, Any]:
    """Check that a value has the keys of a checkpoint.

    Raises:
        ValueError: it does not.
    """
    if not isinstance(state, dict) or not state.keys() >= set(_KEYS):
        raise ValueError(f"it does not contain {', '.join(_KEYS)}")
    _require_plain(state)
    return state


def _require_plain(value: object) -> None:
    """Check that tensors store each of their numbers; others can be larger than memory.

    Raises:
        ValueError: one does not.
    """
    if isinstance(value, Tensor):
        is_strided = value.layout == torch.strided and not value.is_meta
        size = value.numel() * value.element_size()
        if not is_strided or size > value.untyped_storage().nbytes():
            raise ValueError("it contains a tensor that is not plain")
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            _require_plain(item)


def _require_like(state: object, expected: Mapping[str, Tensor], key: str) -> None:
    """Check that a state dict has the names, shapes and types of another.

    torch would convert types, and load tensors that repeat their numbers.

    Raises:
        ValueError: a tensor differs, or the state is none.
    """
    if not isinstance(state, Mapping) or state.keys() != expected.keys():
        raise ValueError(f"`{key}` belongs to another network")
    for name, tensor in expected.items():
        value = state[name]
        if _form(value) != _form(tensor):
            raise ValueError(f"`{key}.{name}` belongs to another network")


def _form(value: object) -> tuple[object, ...]:
    """Return what must be equal; a module can have a state that is not a tensor."""
    if not isinstance(value, Tensor):
        return (type(value),)
    return value.shape, value.dtype, value.layout, value.is_meta


def _read_progress(state: Mapping[str, Any]) -> tuple[tuple[EpochRecord, ...], int]:
    """Return the completed epochs and the number of completed steps.

    Raises:
        ValueError: they are invalid.
    """
    epochs = TypeAdapter(tuple[EpochRecord, ...]).validate_python(state["epochs"])
    num_steps = state["num_steps"]
    if type(num_steps) is not int or num_steps < len(epochs):
        raise ValueError(f"`num_steps` must be at least the number of epochs, got {num_steps!r}")
    if [record.epoch for record in epochs] != list(range(len(epochs))):
        raise ValueError("`epochs` must be numbered from 0")
    return epochs, num_steps


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of a network as safetensors, atomically; shared weights once.

    Args:
        network: the network.
        path: the file to write; its folder is created.
    """
    with atomic_write(path) as temporary:
        save_model(network, str(temporary))


def load_weights(network: nn.Module, path: Path) -> None:
    """Load weights of :func:`save_weights` into a network of the same architecture.

    Args:
        network: the network, whose weights are replaced.
        path: the safetensors file.

    Raises:
        RunError: the file does not exist, is broken, or belongs to another network.
    """
    if not path.is_file():
        raise RunError("the file with the weights does not exist", where=str(path))
    try:
        load_model(network, str(path), device=str(_device_of(network)))
    except SafetensorError as error:
        raise RunError(f"cannot read the weights: {error}", where=str(path)) from error
    except RuntimeError as error:
        raise RunError(
            f"the weights belong to another network: {_first_lines(error)}",
            where=str(path),
            next_step="restore the run file and the plugins that the weights were trained with",
        ) from error


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read the shapes of weights of :func:`save_weights`.

    Args:
        path: the safetensors file.

    Returns:
        Shape by name in the state dict.

    Raises:
        RunError: the file is broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {
                name: tuple(file.get_slice(name).get_shape())
                for name in file.keys()  # noqa: SIM118 - not a mapping
            }
    except SafetensorError as error:
        raise RunError(f"cannot read the weights: {error}", where=str(path)) from error


def _as_dicts(value: Any) -> Any:
    """Return mappings as dictionaries, which load without running code from the file."""
    if isinstance(value, Mapping):
        return {key: _as_dicts(item) for key, item in value.items()}
    return value


def _device_of(network: nn.Module) -> str:
    return str(next((parameter.device for parameter in network.parameters()), "cpu"))


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])
