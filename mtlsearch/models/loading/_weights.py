"""Backbone weights from a file."""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from timm.models import adapt_input_conv, load_state_dict
from torch import Tensor, nn

from mtlsearch.errors import BackboneError

MAX_LISTED = 6
"""Maximum number of weights that a message lists."""
MAX_REPEATED = 2**26
"""Largest size in bytes of all tensors of a file that repeat their numbers, such as expanded
buffers; others could be larger than memory."""


def load_weights(model: nn.Module, path: Path, *, optional: Collection[str]) -> None:
    """Load a safetensors file or a PyTorch state dict into a model.

    Keys that the model does not have, such as those of a classifier, are ignored. If names or
    shapes do not match, timm's converter for the model family is applied; it renames old keys
    and resizes position embeddings.

    Weights for three channels are adapted to the model's number, as timm does.

    The weights of a trial in which all tasks share all units are accepted as well. Its heads
    are ignored.

    Args:
        model: the model, changed in place.
        path: the file; PyTorch files are read with ``weights_only=True``.
        optional: names of weights that the file need not contain.

    Raises:
        BackboneError: the file cannot be read, or weights are missing or have other shapes.
    """
    model_state = model.state_dict()
    file_state = _with_channels(model, model_state, _single_backbone(_read(path), path))
    required = {
        key: value
        for key, value in model_state.items()
        if key not in optional and value.is_floating_point()
    }
    if _mismatches(required, file_state):
        converted = _convert(model, file_state)
        if not _mismatches(required, converted):
            file_state = converted
    mismatches = _mismatches(required, file_state)
    if mismatches:
        raise _mismatch_error(path, mismatches, file_state.keys() - model_state.keys())
    matching = {
        key: value
        for key, value in file_state.items()
        if key in model_state and model_state[key].shape == value.shape
    }
    model.load_state_dict(matching, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise BackboneError(
            "the weights file does not exist",
            where=str(path),
            next_step="set `checkpoint_path` to an existing file",
        )
    try:
        state = load_state_dict(str(path), use_ema=True, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise _read_error(path, error) from error
    except (AttributeError, LookupError, TypeError, MemoryError, struct.error) as error:
        # timm expects a dictionary; damaged files state wrong lengths.
        raise _read_error(path, error) from error
    except SafetensorError as error:
        raise _read_error(path, error) from error
    tensors = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    num_repeated = 0
    for key, value in tensors.items():
        if value.layout != torch.strided or value.is_meta:
            raise _read_error(path, ValueError(f"{key[:80]!r} is not a plain tensor"))
        if (size := value.numel() * value.element_size()) > value.untyped_storage().nbytes():
            num_repeated += size
            if num_repeated > MAX_REPEATED:
                what = f"{key[:80]!r} repeats its numbers up to {size} bytes"
                raise _read_error(path, ValueError(what))
            tensors[key] = value.contiguous()
    if not tensors:
        raise BackboneError(
            "the file does not contain a state dict (weights by name)",
            where=str(path),
            next_step="save the model's state_dict(): torch.save(model.state_dict(), path)",
        )
    return tensors


def _read_error(path: Path, error: Exception) -> BackboneError:
    return BackboneError(
        f"the weights cannot be read: {_reason(error)}",
        where=str(path),
        allowed=["a .safetensors file", "a PyTorch file of tensors only"],
        next_step="save the model's state_dict() only: torch.save(model.state_dict(), path)",
    )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "weights_only" in text:  # users cannot set this argument here
        return "it contains more than tensors, or it is not a PyTorch file"
    return text or "it is truncated"


def _single_backbone(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the backbone in the weights of a trial; other weights unchanged.

    Raises:
        BackboneError: the tasks of the trial have different weights.
    """
    if not all(key.startswith(("backbones.", "heads.")) for key in state):
        return state
    states_by_task: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        part, task, name = key.split(".", 2)
        if part == "backbones":
            states_by_task.setdefault(task, {})[name] = value
    largest = max(states_by_task.values(), key=len, default={})
    if any(
        name not in largest or not torch.equal(value, largest[name])
        for task_state in states_by_task.values()
        for name, value in task_state.items()
    ):
        raise BackboneError(
            f"the weights are from a trial in which {', '.join(states_by_task)} have units of "
            "their own",
            where=str(path),
            next_step="set `checkpoint_path` to weights of a trial with the hard plan, such as "
            "the baseline `hard`",
        )
    return largest


def _with_channels(
    model: nn.Module, model_state: Mapping[str, Tensor], state: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return the state with first convolutions for the model's number of channels."""
    config = getattr(model, "pretrained_cfg", None) or {}
    first = config.get("first_conv") or ()
    adapted = dict(state)
    for name in (first,) if isinstance(first, str) else first:
        key = f"{name}.weight"
        if key not in state or key not in model_state or state[key].ndim != 4:
            continue
        channels = int(model_state[key].shape[1])
        if state[key].shape[1] == 3 != channels:
            adapted[key] = adapt_input_conv(channels, state[key])
    return adapted


def _mismatches(required: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    mismatches = [f"{key} is missing" for key in required if key not in state]
    for key in required.keys() & state.keys():
        if required[key].shape != state[key].shape:
            expected, actual = list(required[key].shape), list(state[key].shape)
            mismatches.append(f"{key} is {actual}, expected {expected}")
    return sorted(mismatches)


def _convert(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Apply timm's converter for the model family; return the state unchanged if it fails."""
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        with torch.no_grad():
            converted = convert(dict(state), model)
    except (KeyError, IndexError, AttributeError, TypeError, ValueError, RuntimeError):
        return state  # weights of another model; the error lists the missing ones
    return {key: value for key, value in converted.items() if isinstance(value, Tensor)}


def _mismatch_error(path: Path, mismatches: list[str], unknown: Collection[str]) -> BackboneError:
    listed = [f"\n  - {mismatch}" for mismatch in mismatches[:MAX_LISTED]]
    rest = len(mismatches) - MAX_LISTED
    if rest > 0:
        listed.append(f"\n  - and {rest} more")
    keys = sorted(unknown)[:MAX_LISTED]
    hint = f" (other keys of the file: {', '.join(keys)})" if keys else ""
    return BackboneError(
        f"the weights do not match the backbone{hint}:{''.join(listed)}",
        where=str(path),
        next_step="set `backbone.name` to the model that these weights were trained for",
    )
