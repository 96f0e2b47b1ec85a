"""Reference of run-file keys, generated from the pydantic models that validate them."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mtlsearch.config._run import RunConfig

HEADER = ("key", "type", "default", "allowed", "description")

_PLAIN_TYPES = {bool: "true or false", int: "integer", float: "number", str: "text"}
_BOUNDS = {"gt": "> {}", "ge": ">= {}", "lt": "< {}", "le": "<= {}"}


@dataclass(frozen=True, slots=True)
class KeyReference:
    """One key of a run file or one setting of a plugin, in YAML notation.

    Attributes:
        key: dotted key, such as ``train.epochs``.
        type: type with all literal values, such as ``auto or integer``.
        type_name: type without literal values, such as ``text or integer``.
        default: default value, or ``required``.
        allowed: literal values and bounds, such as ``auto; > 0``; may be empty.
        description: description of the field; may be empty.
    """

    key: str
    type: str
    type_name: str
    default: str
    allowed: str
    description: str


def key_references(model: type[BaseModel], prefix: str = "") -> Iterator[KeyReference]:
    """Yield one entry per key; nested keys follow their parent.

    Args:
        model: model of a section or of a plugin's settings.
        prefix: key of the parent with a dot, such as ``"parts.NAME."``.

    Yields:
        The keys in the order of their definition.
    """
    for name, field in model.model_fields.items():
        yield _reference(f"{prefix}{name}", field)
        for step, nested in _nested_models(field.annotation):
            yield from key_references(nested, f"{prefix}{name}{step}.")


def run_file_reference() -> str:
    """Return all run-file keys as Markdown.

    Returns:
        One section with a table per model; the headings start at level 2.
    """
    return "\n".join(_section("", RunConfig)).strip() + "\n"


def settings_reference(model: type[BaseModel]) -> str:
    """Return the settings of a plugin as a Markdown table.

    Args:
        model: model of the settings.

    Returns:
        The table, or "No settings." if the model has no field.
    """
    rows = list(key_references(model))
    return "\n".join(_table(rows) if rows else ["No settings."]) + "\n"


def _section(path: str, model: type[BaseModel]) -> Iterator[str]:
    """Yield the lines of one model and of all models in it."""
    fields = model.model_fields.items()
    is_top = not path
    yield f"{'##' if is_top or '.' not in path else '###'} {f'`{path}`' if path else 'Top level'}"
    yield from ("", _summary(model), "")
    keys = [
        _reference(f"{path}.{name}" if path else name, field)
        for name, field in fields
        if not _is_model(field.annotation)
    ]
    yield from (*_table(keys), "")
    for name, field in fields:
        for step, nested in _nested_models(field.annotation):
            yield from _section(f"{path}.{name}{step}".lstrip("."), nested)


def _table(references: Sequence[KeyReference]) -> Iterator[str]:
    yield _row(HEADER)
    yield _row(["---"] * len(HEADER))
    for item in references:
        default = item.default if item.default == "required" else f"`{item.default}`"
        yield _row([f"`{item.key}`", item.type_name, default, item.allowed, item.description])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _summary(model: type[BaseModel]) -> str:
    return " ".join((inspect.getdoc(model) or "").partition("\n\n")[0].split())


def _reference(key: str, field: FieldInfo) -> KeyReference:
    allowed = [*_allowed(field.annotation), *_bounds(field.metadata)]
    return KeyReference(
        key=key,
        type=_type_text(field.annotation, show_values=True),
        type_name=_type_text(field.annotation, show_values=False),
        default=_default(field),
        allowed="; ".join(dict.fromkeys(allowed)),
        description=field.description or "",
    )


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


def _type_text(annotation: Any, *, show_values: bool) -> str:
    """Return the plain name of a type: ``"integer or null"``, ``"list of text"``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_text(arguments[0], show_values=show_values)
    if origin is Literal:
        return " or ".join(map(_value, arguments)) if show_values else "text"
    inner = [_type_text(item, show_values=show_values) for item in arguments if item is not ...]
    if origin is Union or origin is types.UnionType:
        return " or ".join(dict.fromkeys(inner))
    if origin is dict:
        return f"mapping of a name to {inner[1]}"
    if origin is tuple and ... not in arguments:
        return f"list of {len(inner)}: {', '.join(inner)}"
    if origin in (tuple, list, Sequence):
        return f"list of {inner[0]}"
    return _plain_type(annotation, show_values=show_values)


def _plain_type(annotation: Any, *, show_values: bool) -> str:
    if annotation in (None, type(None)):
        return "null"
    if annotation in _PLAIN_TYPES:
        return _PLAIN_TYPES[annotation]
    if not isinstance(annotation, type):
        return str(annotation)
    if issubclass(annotation, Enum):
        return " or ".join(_enum_values(annotation)) if show_values else "text"
    if issubclass(annotation, BaseModel):
        return "settings"
    return "path" if issubclass(annotation, PurePath) else annotation.__name__


def _allowed(annotation: Any) -> Iterator[str]:
    """Yield literal values and bounds of a type and of all types in it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield ", ".join(f"`{_value(item)}`" for item in arguments)
    elif origin is Annotated:
        yield from _allowed(arguments[0])
        yield from _bounds(arguments[1:])
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield ", ".join(f"`{item}`" for item in _enum_values(annotation))
    else:
        for argument in arguments:
            yield from _allowed(argument)


def _bounds(metadata: Sequence[Any]) -> Iterator[str]:
    """Yield the bounds of a number: ``> 0``, ``0 to 1``."""
    items = [part for item in metadata for part in getattr(item, "metadata", [item])]
    bounds = {
        name: getattr(item, name) for item in items for name in _BOUNDS if hasattr(item, name)
    }
    bounds = {name: bound for name, bound in bounds.items() if bound is not None}
    if bounds.keys() == {"ge", "le"}:
        yield f"{bounds['ge']} to {bounds['le']}"
    elif bounds:
        yield " and ".join(_BOUNDS[name].format(bound) for name, bound in bounds.items())


def _enum_values(enumeration: type[Enum]) -> list[str]:
    return [str(member.value) for member in enumeration]


def _nested_models(annotation: Any) -> list[tuple[str, type[BaseModel]]]:
    """Return the models in a type with the key step to them: ``".NAME"`` in mappings."""
    return list(dict.fromkeys(_walk_models(annotation)))


def _walk_models(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    if _is_model(annotation):
        yield "", annotation
        return
    step = ".NAME" if get_origin(annotation) is dict else ""
    for argument in get_args(annotation):
        for nested_step, model in _walk_models(argument):
            yield step + nested_step, model


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
