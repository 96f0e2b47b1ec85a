"""Values that replace those of a run file: ``--set train.epochs=3``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mtlsearch.config._read import read_value
from mtlsearch.errors import ConfigError

_INDEX = re.compile(r"\[(\d+)\]")


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
    """The tree with one value replaced; what is not there yet is made.

    Args:
        node: a tree of dictionaries and lists; it is left as it is.
        keys: the way to the value; list indices as digits.
        value: what to put there.
        where: named in errors.

    Raises:
        ConfigError: the way leads through a list that is shorter, or through a number.
    """
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(node, list):
        at = _index(node, key, where)
        return [*node[:at], with_value(node[at], rest, value, where), *node[at + 1 :]]
    if node is None and key == "0":
        return [with_value(None, rest, value, where)]
    if isinstance(node, str):  # a bare name stands for a mapping with `kind`
        node = {"kind": node}
    if not isinstance(node, dict | None):
        raise ConfigError(f"there is nothing below {node!r} to set {key!r} in", where=where)
    inside = node or {}
    if key == "0" and inside and key not in inside:  # one mapping stands for a list of one
        return with_value(inside, rest, value, where)
    return {**inside, key: with_value(inside.get(key), rest, value, where)}


def _index(items: list[Any], key: str, where: str) -> int:
    if key.isdigit() and int(key) < len(items):
        return int(key)
    raise ConfigError(
        f"{key!r} is no index of this list of {len(items)}",
        where=where,
        allowed=[str(at) for at in range(len(items))],
    )
