"""Overrides of run file values, such as ``--set train.epochs=3``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mtlsearch.config._read import read_value
from mtlsearch.errors import ConfigError

_INDEX = re.compile(r"\[(\d+)\]")

SHORTCUTS = {
    "trials": ("search", "trials"),
    "epochs": ("train", "epochs"),
    "batch_size": ("train", "batch_size"),
    "seed": ("seed",),
    "data_root": ("data", "root"),
}
"""Keys that a search also accepts as an option or argument of a shorter name."""


@dataclass(frozen=True, slots=True)
class Override:
    """A value that replaces one of the run file.

    Attributes:
        keys: path of the key, such as ``("train", "epochs")``; list indices as digits.
        value: the new value.
        origin: what the user typed, for messages, such as ``"--epochs 3"``.
    """

    keys: tuple[str, ...]
    value: Any
    origin: str


def shortcut_overrides(
    values: Mapping[str, Any], origin: Callable[[str, Any], str]
) -> list[Override]:
    """Return the overrides of options or arguments named as in :data:`SHORTCUTS`.

    Args:
        values: value by name; None for an absent one.
        origin: returns what the user typed, for messages, from name and value.

    Returns:
        One override per value that is not None.
    """
    return [
        Override(SHORTCUTS[name], value, origin(name, value))
        for name, value in values.items()
        if value is not None
    ]


def parse_override(text: str) -> Override:
    """Parse ``"data.sources[0].root=photos"``; the value is read as YAML.

    Args:
        text: ``KEY=VALUE``, as behind ``--set``.

    Returns:
        The override; its origin is ``--set`` with the text.

    Raises:
        ConfigError: the text is not ``KEY=VALUE``, or the value is not valid YAML.
    """
    origin = f"--set {text}"
    name, equals, value = text.partition("=")
    keys = tuple(_INDEX.sub(r".\1", name.strip()).split("."))
    if not equals or not all(keys):
        raise ConfigError(
            f"{text!r} is not KEY=VALUE", where="--set", allowed=["--set train.epochs=3"]
        )
    return Override(keys, read_value(value, origin), origin)


def with_value(node: Any, keys: tuple[str, ...], value: Any, where: str) -> Any:
    """Return a copy of a tree with one value replaced; add missing mappings.

    Args:
        node: a tree of dictionaries and lists; it is not changed.
        keys: path of the value; list indices as digits.
        value: the new value.
        where: the location for messages.

    Returns:
        The new tree.

    Raises:
        ConfigError: the path leads through a missing list item or through a number.
    """
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(node, list):
        index = _index(node, key, where)
        return [*node[:index], with_value(node[index], rest, value, where), *node[index + 1 :]]
    if node is None and key == "0":
        return [with_value(None, rest, value, where)]
    if isinstance(node, str):  # a name is short for a mapping with `kind`
        node = {"kind": node}
    if not isinstance(node, dict | None):
        raise ConfigError(
            f"{key!r} cannot be set below {node!r}, which is not a mapping", where=where
        )
    mapping = node or {}
    if key == "0" and mapping and key not in mapping:  # one mapping is short for a list
        return with_value(mapping, rest, value, where)
    return {**mapping, key: with_value(mapping.get(key), rest, value, where)}


def _index(items: list[Any], key: str, where: str) -> int:
    if key.isdecimal() and int(key) < len(items):
        return int(key)
    raise ConfigError(
        f"{key!r} is not an index of this list of length {len(items)}",
        where=where,
        allowed=[str(index) for index in range(len(items))],
    )
