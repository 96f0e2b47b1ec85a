"""Table of a plugin's settings: names, types and defaults in YAML notation."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Row = tuple[str, str, str, str]

COLUMNS = ("setting", "type", "default", "description")

_PLAIN = {bool: "true or false", int: "integer", float: "number", str: "text"}


def settings_rows(model: type[BaseModel], prefix: str = "") -> Iterator[Row]:
    """Yield one row per setting; nested settings follow their parent.

    Args:
        model: the settings.
        prefix: key of the parent with a dot, such as ``"parts.NAME."``.

    Yields:
        Key, type, default and description.
    """
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        yield key, _type(field.annotation), _default(field), field.description or ""
        for step, nested in _models(field.annotation):
            yield from settings_rows(nested, f"{key}{step}.")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return _value(field.get_default(call_default_factory=True, validated_data={}))


def _value(value: object) -> str:
    """Return a value in YAML notation: ``null``, ``true``, ``[1, 2]``."""
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
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)


def _type(annotation: Any) -> str:
    """Return the plain name of a type: ``"integer or null"``, ``"list of text"``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(map(_value, arguments))
    if origin is Union or origin is types.UnionType:
        return " or ".join(dict.fromkeys(map(_type, arguments)))
    if origin is dict:
        return f"mapping of a name to {_type(arguments[1])}"
    if origin is tuple and Ellipsis not in arguments:
        return f"list of {len(arguments)}: {', '.join(map(_type, arguments))}"
    if origin in (tuple, list, Sequence):
        return f"list of {_type(arguments[0])}"
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
    """Yield the nested settings of a type with the key step to them: ``".NAME"`` in mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield "", annotation
        return
    step = ".NAME" if get_origin(annotation) is dict else ""
    for argument in get_args(annotation):
        for nested_step, model in _models(argument):
            yield step + nested_step, model
