"""Former names of run file keys, for error messages."""

from __future__ import annotations

from collections.abc import Sequence

from mtlsearch.config._locations import KeyPath

RENAMED_KEYS: dict[KeyPath, str] = {
    ("budget",): "limits",
    ("data", "limit"): "max_images",
    ("data", "size"): "image_size",
    ("data", "workers"): "num_workers",
    ("data", "sources", "size"): "image_size",
    ("train", "accumulate"): "accumulation_steps",
    ("search", "balance"): "balancer",
    ("search", "halving"): "early_stopping",
    ("search", "early_stopping", "reduction"): "reduction_factor",
    ("search", "keep"): "keep_weights",
    ("search", "knowledge"): "distillation",
    ("search", "prior"): "warm_start",
}
"""New name of the last key, by former path without list indices."""

USUAL_NAMES = {
    "amp": "precision",
    "bs": "batch_size",
    "lr": "learning_rate",
    "type": "kind",
    "wd": "weight_decay",
    "workers": "num_workers",
}
"""Key by a name that other programs use for it."""

RENAMED_VALUES: dict[KeyPath, dict[str, str]] = {
    ("search", "distillation"): {"distil": "baseline"},
    ("search", "distillation", "kind"): {"distil": "baseline"},
}
"""New value by former value, by path without list indices."""


def renamed_key(path: KeyPath, allowed: Sequence[str]) -> str | None:
    """Return the new path of a renamed key, or None.

    Args:
        path: path of an unknown key.
        allowed: the keys that are valid there.
    """
    name = RENAMED_KEYS.get(_without_indices(path))
    return ".".join((*path[:-1], name)) if name is not None and name in allowed else None


def renamed_value(path: KeyPath, value: str) -> str | None:
    """Return the new value of a key for a former value, or None."""
    return RENAMED_VALUES.get(_without_indices(path), {}).get(value)


def names_of(key: str) -> set[str]:
    """Return a key and all keys that replaced one of that name."""
    return {key, *(name for path, name in RENAMED_KEYS.items() if path[-1] == key)}


def _without_indices(path: KeyPath) -> KeyPath:
    return tuple(key for key in path if not key.isdigit())
