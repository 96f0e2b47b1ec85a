"""The settings of a plugin as rows for a person: names, types and defaults as YAML has them."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Row = tuple[str, str, str, str]

COLUMNS = ("setting", "type", "default", "meaning")

_PLAIN = {bool: "true or false", int: "integer", float: "number", str: "text"}


def settings_rows(model: type[BaseModel], above: str = "") -> Iterator[Row]:
    """A row a setting, and behind one that holds settings of its own a row for each of those.

    Args:
        model: the settings.
        above: the key they stand under, with its dot.
    """
    for name, field in model.model_fields.items():
        key = f"{above}{name}"
        yield key, _type(field.annotation), _default(field), field.description or ""
        for below, inner in _models(field.annotation):
            yield from settings_rows(inner, f"{key}{below}.")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return _value(field.get_default(call_default_factory=True, validated_data={}))


def _value(value: object) -> str:
    """``null``, ``true``, ``[1, 2]``: a value as a run file has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(at)}" for key, at in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)


def _type(annotation: Any) -> str:
    """A type in words: ``"integer or null"``, ``"list of text"``."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inside[0])
    if origin is Literal:
        return " or ".join(map(_value, inside))
    if origin is Union or origin is types.UnionType:
        return " or ".join(dict.fromkeys(map(_type, inside)))
    if origin is dict:
        return f"mapping of a name to {_type(inside[1])}"
    if origin is tuple and Ellipsis not in inside:
        return f"list of {len(inside)}: {', '.join(map(_type, inside))}"
    if origin in (tuple, list, Sequence):
        return f"list of {_type(inside[0])}"
    return _plain(annotation)


def _plain(annotation: Any) -> str:
    if annotation in (None, type(None)):
        return "null"
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if not isinstance(annotation, type):
        return str(annotation)
    if issubclass(annotation, Enum):
        return " or ".join(str(member.value) for member in annotation)
    if issubclass(annotation, BaseModel):
        return "settings"
    return "path" if issubclass(annotation, PurePath) else annotation.__name__


def _models(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """Settings within a type, each with what stands between: ``".NAME"`` in a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield "", annotation
        return
    step = ".NAME" if get_origin(annotation) is dict else ""
    for inside in get_args(annotation):
        for below, model in _models(inside):
            yield step + below, model
