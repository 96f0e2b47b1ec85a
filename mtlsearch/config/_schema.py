"""Keys and descriptions of the pydantic models of a run file."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from mtlsearch.config._locations import Key, KeyPath


def sections_at(model: type[BaseModel], path: Sequence[Key]) -> list[type[BaseModel]]:
    """Return the models that are valid at a path; skip path parts without a type."""
    sections = [annotation for annotation in _annotations_at(model, path) if _is_model(annotation)]
    return list(dict.fromkeys(sections))


def keys_at(model: type[BaseModel], path: Sequence[Key]) -> list[str]:
    """Return the keys that are valid at a path."""
    return [key for section in sections_at(model, path) for key in section.model_fields]


def description_at(model: type[BaseModel], path: Sequence[Key]) -> str:
    """Return the description of the key at a path, or an empty string."""
    if not path:
        return ""
    for section in sections_at(model, path[:-1]):
        field = section.model_fields.get(str(path[-1]))
        if field is not None and field.description:
            return field.description
    return ""


def paths_named(model: type[BaseModel], name: str) -> Iterator[KeyPath]:
    """Yield the paths of all keys of a name, in nested sections too, outside lists and maps."""
    for key, field in model.model_fields.items():
        if key == name:
            yield (key,)
        for annotation in _union_members(field.annotation):
            if _is_model(annotation):
                yield from ((key, *path) for path in paths_named(annotation, name))


def _annotations_at(model: type[BaseModel], path: Sequence[Key]) -> list[Any]:
    annotations: list[Any] = [model]
    for key in path:
        below = [
            member
            for annotation in annotations
            for child in _children(annotation, key)
            for member in _union_members(child)
        ]
        annotations = below or annotations
    return annotations


def _children(annotation: Any, key: Key) -> Iterator[Any]:
    if _is_model(annotation):
        if str(key) in annotation.model_fields:
            yield annotation.model_fields[str(key)].annotation
        return
    items = [item for item in get_args(annotation) if item is not Ellipsis]
    if get_origin(annotation) is dict:
        yield items[-1]
    elif get_origin(annotation) in (list, tuple, Sequence) and isinstance(key, int):
        yield from items


def _union_members(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union, without ``Annotated``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _union_members(get_args(annotation)[0])
    elif origin is Union or isinstance(annotation, types.UnionType):
        for member in get_args(annotation):
            yield from _union_members(member)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
