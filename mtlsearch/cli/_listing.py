"""Contributions of plugins, one line each, or one of them with its settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mtlsearch.catalog import Catalog
    from mtlsearch.cli._console import Console


def list_or_show(
    classes: Mapping[str, type[Any]],
    find: Callable[[str], type[Any]],
    name: str | None,
    catalog: Catalog,
    console: Console,
    more: Callable[[Any], str] = lambda item: "",
) -> None:
    """All of them, or with its settings the one that is named.

    Args:
        classes: what there is, by name.
        find: the class of a name; raises for one that there is not.
        name: which one; None is all.
        catalog: where they come from.
        console: where to say it.
        more: what else there is to say of one.
    """
    if name is None:
        show_all(classes, catalog, console)
    else:
        item = find(name)
        show_one(item, name, console, more(item))


def show_all(classes: Mapping[str, type[Any]], catalog: Catalog, console: Console) -> None:
    """Name and summary of each, and a word on plugins that did not load."""
    console.table(("name", "summary"), [(name, item.summary) for name, item in classes.items()])
    if catalog.failures:
        names = ", ".join(dict.fromkeys(failure.name for failure in catalog.failures))
        console.warn(f"not loaded: {names}; `mtlsearch plugins` says why")


def show_one(item: type[Any], name: str, console: Console, more: str = "") -> None:
    """One of them: what it is, and every setting with its type, default and meaning."""
    console.result(f"{name}: {item.summary}")
    documentation = inspect.getdoc(item)
    if documentation:
        console.result(f"\n{documentation}")
    if more:
        console.result(f"\n{more}")
    fields = item.Settings.model_fields
    if not fields:
        console.result("\nIt has no settings.")
        return
    console.result("\nSettings:")
    console.table(("setting", "type", "default", "meaning"), _settings(item.Settings))


def _settings(model: type[BaseModel]) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else repr(field.get_default())
        if field.default_factory is not None:
            default = repr(field.get_default(call_default_factory=True, validated_data={}))
        rows.append((name, _type(field.annotation), default, field.description or ""))
    return rows


def _type(annotation: Any) -> str:
    """A type as a person writes it: ``"int | None"``."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("pathlib.", "")
