"""Weights from a file."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from timm.models import load_state_dict
from torch import Tensor, nn

from mtlsearch.errors import BackboneError

_SHOWN = 6


def load_weights(model: nn.Module, path: Path, *, unneeded: Collection[str]) -> None:
    """Read a safetensors file or a torch state dict into ``model``.

    Keys that the model does not have (a classifier's, say) are passed over. Where names or
    shapes do not fit, timm's own converter for the family is tried, which knows older names
    and resizes position embeddings.

    The weights of a trial in which all tasks share all units are a backbone's too, and are
    taken for one; its heads are passed over.

    Args:
        model: the model, filled in place.
        path: the file; torch files are read with ``weights_only=True``.
        unneeded: names of weights that the file may lack.

    Raises:
        BackboneError: the file cannot be read, or lacks weights or has them in other
            shapes; the message names them.
    """
    state = _one_backbone(_read(path), path)
    own = model.state_dict()
    needed = {
        key: value
        for key, value in own.items()
        if key not in unneeded and value.is_floating_point()
    }
    if _misfits(needed, state):
        converted = _converted(model, state)
        if not _misfits(needed, converted):
            state = converted
    misfits = _misfits(needed, state)
    if misfits:
        raise _refusal(path, misfits, state.keys() - own.keys())
    model.load_state_dict(
        {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}, strict=False
    )


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise BackboneError("there is no weights file", where=str(path))
    try:
        state = load_state_dict(str(path), use_ema=True, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise _unreadable(path, error) from error
    except SafetensorError as error:
        raise _unreadable(path, error) from error
    tensors = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise BackboneError("the file holds no weights by name", where=str(path))
    return tensors


def _unreadable(path: Path, error: Exception) -> BackboneError:
    return BackboneError(
        f"the weights cannot be read: {_reason(error)}",
        where=str(path),
        allowed=["a .safetensors file", "a torch file of tensors alone"],
        next_step="save the model's state_dict() alone: torch.save(model.state_dict(), path)",
    )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "weights_only" in text:  # an argument that nobody can set here
        return "it holds more than tensors, or is no torch file"
    return text or "it ends too early"


def _one_backbone(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The backbone in a trial's weights; any other file as it is.

    Only where nothing is apart is there one that every plan can start from.
    """
    if not all(key.startswith(("backbones.", "heads.")) for key in state):
        return state
    copies: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        place, task, name = key.split(".", 2)
        if place == "backbones":
            copies.setdefault(task, {})[name] = value
    whole = max(copies.values(), key=len, default={})
    if any(
        name not in whole or not torch.equal(value, whole[name])
        for copy in copies.values()
        for name, value in copy.items()
    ):
        raise BackboneError(
            f"these are a trial's weights in which {', '.join(copies)} have units of their own",
            where=str(path),
            next_step="start from a trial with the hard plan, such as the baseline of that name",
        )
    return whole


def _misfits(needed: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    found = [f"{key} is missing" for key in needed if key not in state]
    for key in needed.keys() & state.keys():
        if needed[key].shape != state[key].shape:
            have, want = list(state[key].shape), list(needed[key].shape)
            found.append(f"{key} is {have}, the model takes {want}")
    return sorted(found)


def _converted(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """What timm's converter for the family makes of the file, or the file as it is."""
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        with torch.no_grad():
            converted = convert(dict(state), model)
    except (KeyError, IndexError, AttributeError, TypeError, ValueError, RuntimeError):
        return state  # weights of something else; the refusal names what is missing
    return {key: value for key, value in converted.items() if isinstance(value, Tensor)}


def _refusal(path: Path, misfits: list[str], unknown: Collection[str]) -> BackboneError:
    listed = "; ".join(misfits[:_SHOWN])
    more = f"; and {len(misfits) - _SHOWN} more" if len(misfits) > _SHOWN else ""
    strangers = sorted(unknown)[:_SHOWN]
    hint = f" (the file has {', '.join(strangers)})" if strangers else ""
    return BackboneError(
        f"the weights do not fit: {listed}{more}{hint}",
        where=str(path),
        next_step="name the backbone that these weights were trained for",
    )
