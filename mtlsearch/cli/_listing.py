"""Contributions of plugins, one line each, or one of them with its settings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mtlsearch.cli._settings_table import COLUMNS, Row, settings_rows

if TYPE_CHECKING:
    from mtlsearch.cli._console import Console
    from mtlsearch.registry import PluginRegistry

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
"""A reference as documentation has it, ``:mod:`name```."""


def list_or_show(
    classes: Mapping[str, type[Any]],
    find: Callable[[str], type[Any]],
    name: str | None,
    registry: PluginRegistry,
    console: Console,
    more: Callable[[Any], str] = lambda item: "",
    beside: Callable[[Any], Iterable[Row]] = lambda item: (),
) -> None:
    """All of them, or with its settings the one that is named.

    Args:
        classes: what there is, by name.
        find: the class of a name; raises for one that there is not.
        name: which one; None is all.
        registry: where they come from.
        console: where to say it.
        more: what else there is to say of one.
        beside: what a run file may give beside the settings of one.
    """
    if name is None:
        show_all(classes, registry, console)
    else:
        item = find(name)
        show_one(item, name, console, more(item), beside(item))


def show_all(classes: Mapping[str, type[Any]], registry: PluginRegistry, console: Console) -> None:
    """Name and summary of each, and a word on plugins that did not load."""
    console.table(("name", "summary"), [(name, item.summary) for name, item in classes.items()])
    if registry.failures:
        names = ", ".join(dict.fromkeys(failure.name for failure in registry.failures))
        console.warn(f"not loaded: {names}; `mtlsearch plugins` says why")


def show_one(
    item: type[Any], name: str, console: Console, more: str = "", beside: Iterable[Row] = ()
) -> None:
    """One of them: what it is, and every setting with its type, default and meaning."""
    console.result(f"{name}: {item.summary}")
    documentation = inspect.cleandoc(item.__dict__.get("__doc__") or "")
    if documentation:  # its own: the base class's speaks to authors of plugins
        console.result("\n" + _ROLE.sub(r"\1", documentation))
    if more:
        console.result(f"\n{more}")
    rows = [*beside, *settings_rows(item.Settings)]
    if not rows:
        console.result("\nIt has no settings.")
        return
    console.result("\nSettings:")
    console.table(COLUMNS, rows)
