"""Values read out of JSON that someone may have damaged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from mtlsearch.errors import ExportError

T = TypeVar("T")

NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    bool: "true or false",
}


def damaged(what: str, where: str) -> ExportError:
    """The error for a bundle whose JSON is not as the program wrote it."""
    return ExportError(
        what,
        where=where,
        next_step="the bundle is damaged or was edited: export it again with `mtlsearch export`",
    )


def take(value: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    """``value[key]``, which has to be of a kind.

    Raises:
        ExportError: there is no such key, or its value is of another kind.
    """
    if key not in value:
        raise damaged(f"there is no {key!r}", where)
    found = value[key]
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise damaged(f"{key!r} is not {NAMES[kind]}: {found!r:.80}", where)
    return found


def numbers(value: Mapping[str, Any], key: str, count: int, where: str) -> tuple[float, ...]:
    """``count`` finite numbers.

    Raises:
        ExportError: there are others.
    """
    found = take(value, key, list, where)
    if len(found) != count or not all(is_number(part) for part in found):
        raise damaged(f"{key!r} is not a list of {count} numbers: {found!r:.80}", where)
    return tuple(float(part) for part in found)


def texts(value: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        ExportError: it is something else.
    """
    found = take(value, key, list, where)
    if not all(isinstance(part, str) for part in found):
        raise damaged(f"{key!r} is not a list of texts: {found!r:.80}", where)
    return tuple(found)


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
