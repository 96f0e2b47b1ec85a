"""``mtlsearch list``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mtlsearch.cli._console import Console
from mtlsearch.cli._context import open_registry
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._settings_table import COLUMNS, Row, settings_rows
from mtlsearch.cli.commands._list_backbones import list_backbones
from mtlsearch.cli.commands._list_plugins import list_plugins

if TYPE_CHECKING:
    from mtlsearch.plugin import DatasetSource, Task
    from mtlsearch.registry import NameTable, PluginRegistry

Kind = Literal[
    "tasks", "datasets", "sources", "spaces", "balancers", "loggers", "backbones", "plugins"
]

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
"""Reference of a docstring, such as ``:mod:`name```."""

_SECTION = re.compile(
    r"^(Args|Returns|Raises|Attributes):\n.*?(?=^\S|\Z)", re.DOTALL | re.MULTILINE
)
"""Section of a docstring for authors of Python code."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How one kind of plugin classes is listed.

    Attributes:
        table: returns the classes of a registry by name.
        note: returns a sentence for the page of one class; empty for none.
        rows: returns rows of run file keys that are not in the class's own settings.
    """

    table: Callable[[PluginRegistry], NameTable[Any]]
    note: Callable[[type[Any]], str] = lambda cls: ""
    rows: Callable[[type[Any]], Iterable[Row]] = lambda cls: ()


def list_kind(
    ctx: typer.Context,
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="tasks, datasets (or sources), spaces, balancers, loggers, backbones or plugins.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Entry to show. For backbones: part of a name, or a pattern such as 'convnext*'.",
        ),
    ] = None,
) -> None:
    """List tasks, datasets, spaces, balancers, loggers, backbones or plugins.

    With a name, shows one entry with all its settings.
    """
    options = GlobalOptions.of(ctx)
    if kind == "backbones":
        list_backbones(name or "", options.console)
    elif kind == "plugins":
        list_plugins(open_registry(options), name, options)
    elif name is None:
        _list_classes(LISTINGS[kind], open_registry(options), options.console)
    else:
        _show_class(LISTINGS[kind], open_registry(options), name, options.console)


def _list_classes(listing: Listing, registry: PluginRegistry, console: Console) -> None:
    """Print name and summary of each class, and a warning if plugins failed to load."""
    rows = [(name, cls.summary) for name, cls in listing.table(registry).items()]
    console.table(("name", "summary"), rows)
    if registry.failures:
        names = ", ".join(dict.fromkeys(failure.name for failure in registry.failures))
        console.warning(f"plugins failed to load: {names}; `mtlsearch list plugins` shows why")


def _show_class(listing: Listing, registry: PluginRegistry, name: str, console: Console) -> None:
    """Print summary, documentation and all settings of one class."""
    cls = listing.table(registry).find(name)
    console.print(f"{name}: {cls.summary}")
    # Only the docstring of the class itself: that of its base is for authors of plugins.
    documentation = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    if documentation:
        console.print("\n" + _ROLE.sub(r"\1", _SECTION.sub("", documentation)).strip())
    if note := listing.note(cls):
        console.print(f"\n{note}")
    rows = [*listing.rows(cls), *settings_rows(cls.Settings)]
    if not rows:
        console.print("\nNo settings.")
        return
    console.print("\nSettings:")
    console.table(COLUMNS, rows)


def _forms_and_metrics(kind: type[Task[Any]]) -> str:
    forms = ", ".join(form.value for form in kind.accepts)
    return "\n".join([f"Labels: {forms}.", *_metrics(kind)])


def _metrics(kind: type[Task[Any]]) -> Iterator[str]:
    """Yield the metrics with default settings, one line per form if they depend on it."""
    from mtlsearch.labels import LabelSpec

    if any(info.is_required() for info in kind.Settings.model_fields.values()):
        return
    forms_by_metrics: dict[str, list[str]] = {}
    for form in kind.accepts:
        task = kind("NAME", kind.Settings(), LabelSpec(form, ("first", "second")))
        metrics = ", ".join(f"NAME.{metric.name}" for metric in task.metrics)
        forms_by_metrics.setdefault(metrics, []).append(form.value)
    for metrics, forms in forms_by_metrics.items():
        where = f" ({', '.join(forms)})" if len(forms_by_metrics) > 1 else ""
        yield f"Metrics{where}: {metrics}."


def _label(kind: type[Task[Any]]) -> Iterable[Row]:
    from mtlsearch.config import TaskEntry

    return [row for row in settings_rows(TaskEntry) if row[0] == "label"]


def _root(source: type[DatasetSource[Any]]) -> Iterable[Row]:
    from mtlsearch.config import SourceEntry

    return [row for row in settings_rows(SourceEntry) if row[0] == "root" and not source.generated]


_SOURCES = Listing(
    lambda registry: registry.datasets,
    lambda source: f"Labels: {source.label_summary}." if source.label_summary else "",
    _root,
)

LISTINGS: Mapping[str, Listing] = {
    "tasks": Listing(
        lambda registry: registry.tasks,
        _forms_and_metrics,
        _label,
    ),
    "datasets": _SOURCES,
    "sources": _SOURCES,
    "spaces": Listing(lambda registry: registry.spaces),
    "balancers": Listing(lambda registry: registry.balancers),
    "loggers": Listing(lambda registry: registry.loggers),
}
"""Kinds of plugin classes; backbones and plugins have a module each."""
