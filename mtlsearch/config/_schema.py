"""What pydantic models say of a key: its section and its description."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from mtlsearch.config._locations import Key


def sections_at(model: type[BaseModel], path: Sequence[Key]) -> list[type[BaseModel]]:
    """The models that may stand at a path; steps that no type knows are skipped."""
    found = [found for found in _follow(model, path) if _is_model(found)]
    return list(dict.fromkeys(found))


def keys_at(model: type[BaseModel], path: Sequence[Key]) -> list[str]:
    """The keys allowed at a path."""
    return [key for section in sections_at(model, path) for key in section.model_fields]


def description_at(model: type[BaseModel], path: Sequence[Key]) -> str:
    """What the key at the end of a path is for; empty where nothing says so."""
    if not path:
        return ""
    for section in sections_at(model, path[:-1]):
        field = section.model_fields.get(str(path[-1]))
        if field is not None and field.description:
            return field.description
    return ""


def _follow(model: type[BaseModel], path: Sequence[Key]) -> list[Any]:
    here: list[Any] = [model]
    for key in path:
        below = [arm for at in here for below in _below(at, key) for arm in _arms(below)]
        here = below or here
    return here


def _below(at: Any, key: Key) -> Iterator[Any]:
    if _is_model(at):
        if str(key) in at.model_fields:
            yield at.model_fields[str(key)].annotation
        return
    items = [item for item in get_args(at) if item is not Ellipsis]
    if get_origin(at) is dict:
        yield items[-1]
    elif get_origin(at) in (list, tuple, Sequence) and isinstance(key, int):
        yield from items


def _arms(annotation: Any) -> Iterator[Any]:
    """The members of a union, without what annotates them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _arms(get_args(annotation)[0])
    elif origin is Union or isinstance(annotation, types.UnionType):
        for arm in get_args(annotation):
            yield from _arms(arm)
    else:
        yield annotation


def _is_model(at: Any) -> bool:
    return isinstance(at, type) and issubclass(at, BaseModel)
