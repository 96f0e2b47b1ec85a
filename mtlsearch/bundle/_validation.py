"""Type checks of values in a bundle's JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from mtlsearch.errors import ExportError

T = TypeVar("T")

TYPE_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    bool: "true or false",
}


def damaged(what: str, where: str) -> ExportError:
    """Return the error for a manifest with invalid contents.

    Args:
        what: the problem.
        where: path of the manifest.

    Returns:
        The error, with the next step.
    """
    return ExportError(
        what,
        where=where,
        next_step="the bundle is damaged or was edited: export it again with `mtlsearch export`",
    )


def take(value: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    """Return the value of a key, which must have a type.

    Args:
        value: JSON object.
        key: key in the object.
        kind: expected type.
        where: path of the manifest, for messages.

    Returns:
        ``value[key]``.

    Raises:
        ExportError: the key is missing or its value has another type.
    """
    if key not in value:
        raise damaged(f"`{key}` is missing", where)
    item = value[key]
    if not isinstance(item, kind) or (kind is int and isinstance(item, bool)):
        raise damaged(f"`{key}` must be {TYPE_NAMES[kind]}, got {item!r:.80}", where)
    return item


def take_numbers(value: Mapping[str, Any], key: str, count: int, where: str) -> tuple[float, ...]:
    """Return a list of finite numbers.

    Args:
        value: JSON object.
        key: key in the object.
        count: expected length.
        where: path of the manifest, for messages.

    Returns:
        The numbers.

    Raises:
        ExportError: the value is not a list of ``count`` finite numbers.
    """
    items = take(value, key, list, where)
    if len(items) != count or not all(is_number(item) for item in items):
        raise damaged(f"`{key}` must be a list of {count} numbers, got {items!r:.80}", where)
    return tuple(float(item) for item in items)


def take_texts(value: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """Return a list of strings.

    Args:
        value: JSON object.
        key: key in the object.
        where: path of the manifest, for messages.

    Returns:
        The strings.

    Raises:
        ExportError: the value is not a list of strings.
    """
    items = take(value, key, list, where)
    if not all(isinstance(item, str) for item in items):
        raise damaged(f"`{key}` must be a list of strings, got {items!r:.80}", where)
    return tuple(items)


def is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
