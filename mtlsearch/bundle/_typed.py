"""JSON values as values of a type, with the standard library only.

A bundle contains this reader and runs without pydantic.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

MAX_VALUE_LENGTH = 60
MAX_INTEGER = 2**63
"""Integers of a bundle count pixels, weights and bytes."""
SCALARS: dict[type, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    str: ("text", (str,)),
    int: ("an integer", (int,)),
    float: ("a number", (int, float)),
    types.NoneType: ("null", (types.NoneType,)),
}
"""Name and JSON types of each scalar type."""


def read_typed(kind: Any, value: object, key: str) -> Any:
    """Return a JSON value as a value of a type; convert lists to tuples, nothing else.

    Args:
        kind: a scalar type, an enumeration, a literal, a dataclass, a tuple, a mapping, a union
            of these, or :class:`~typing.Any`.
        value: the JSON value.
        key: path of the value in the document, for messages.

    Returns:
        The value.

    Raises:
        ValueError: the value has another type; the message contains its key.
    """
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _union(kind, value, key)
    if origin is Literal:
        _require(value in get_args(kind), key, value, " or ".join(map(repr, get_args(kind))))
        return value
    if origin is tuple:
        return _tuple(get_args(kind), value, key)
    if origin is Mapping:
        _require(isinstance(value, dict), key, value, "an object")
        items: dict[str, object] = value  # type: ignore[assignment]
        return {
            name: read_typed(get_args(kind)[1], item, f"{key}.{name}")
            for name, item in items.items()
        }
    if is_dataclass(kind):
        return read_fields(kind, value, key)
    if issubclass(kind, Enum):
        allowed = [member.value for member in kind]
        _require(value in allowed, key, value, " or ".join(map(repr, allowed)))
        return kind(value)
    name, accepted = SCALARS[kind]
    _require(type(value) in accepted, key, value, name)  # a bool is an int for isinstance
    is_large = type(value) is int and abs(value) >= MAX_INTEGER
    _require(not is_large, key, value, f"an integer below {MAX_INTEGER}")
    return float(value) if kind is float else value  # type: ignore[arg-type]


def read_fields(kind: Any, value: object, key: str) -> Any:
    """Return a JSON object as a dataclass; further keys are ignored.

    Args:
        kind: the dataclass.
        value: the JSON value.
        key: path of the value in the document, for messages.

    Returns:
        The dataclass.

    Raises:
        ValueError: the value is not an object, or a field is missing or invalid.
    """
    _require(isinstance(value, dict), key, value, "an object")
    items: dict[str, object] = value  # type: ignore[assignment]
    hints = get_type_hints(kind)
    arguments = {}
    for field in fields(kind):
        path = f"{key}.{field.name}" if key else field.name
        if field.name in items:
            arguments[field.name] = read_typed(hints[field.name], items[field.name], path)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"`{path}` is missing")
    try:
        return kind(**arguments)
    except ValueError as error:
        raise ValueError(f"`{key}` is invalid: {error}") from error


def _union(kind: Any, value: object, key: str) -> Any:
    """Return the value as the first type of a union that accepts it."""
    reasons = []
    for part in get_args(kind):
        try:
            return read_typed(part, value, key)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(reasons[0])


def _tuple(parts: tuple[Any, ...], value: object, key: str) -> tuple[Any, ...]:
    _require(isinstance(value, list), key, value, "a list")
    items: list[object] = value  # type: ignore[assignment]
    if parts[-1] is Ellipsis:
        parts = (parts[0],) * len(items)
    _require(len(items) == len(parts), key, value, f"a list of {len(parts)}")
    return tuple(
        read_typed(part, item, f"{key}.{index}")
        for index, (part, item) in enumerate(zip(parts, items, strict=True))
    )


def _require(is_valid: bool, key: str, value: object, expected: str) -> None:
    if not is_valid:
        text = repr(value)
        if len(text) > MAX_VALUE_LENGTH:
            text = f"{text[:MAX_VALUE_LENGTH]}..."
        raise ValueError(f"`{key}` is invalid: {expected} is expected, got {text}")
