"""``mtlsearch init``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._context import open_registry
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.files import atomic_write, default_run_folder

if TYPE_CHECKING:
    from mtlsearch.labels import Form
    from mtlsearch.registry import PluginRegistry

HEADER = """\
# Run file of mtlsearch. It works without changes, on generated images:
#
#   mtlsearch check {file}
#   mtlsearch search {file}          writes to {out}
#
# For your own images, replace the item of data.sources by one of these, and name your tasks under
# tasks. Each task learns one label of the source: its name, or `label`.
#
{examples}
#
# `mtlsearch list datasets NAME` and `mtlsearch list tasks NAME` describe the settings. Lines with
# `#` below show other settings with their defaults.

"""

SUFFIXES = (".yaml", ".yml")

SMALL = {"data.image_size": (64, 64), "train.epochs": 4}
"""Small enough for a first search without a GPU."""


def init(
    ctx: typer.Context,
    target: Annotated[
        Path,
        typer.Argument(metavar="DIR|FILE.yaml", help="Folder for run.yaml, or the file to write."),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented run file that works without changes."""
    from mtlsearch.errors import ConfigError

    options = GlobalOptions.of(ctx)
    is_file = target.suffix.lower() in SUFFIXES and not target.is_dir()
    file = target if is_file else target / "run.yaml"
    if target.is_file() and not is_file:
        raise ConfigError(
            "the path is a file and its name does not end in .yaml, so it is not a run file",
            where=str(target),
            allowed=["a folder", "a file name that ends in .yaml"],
            next_step="set another path",
        )
    if os.path.lexists(file) and not force:
        raise ConfigError(
            "the run file exists already",
            where=str(file),
            next_step="use --force to replace it",
        )
    out = default_run_folder(file)
    registry = open_registry(options)
    examples = "\n".join(own_sources(registry))
    text = HEADER.format(file=file, out=out, examples=examples) + first_run(registry)
    with atomic_write(file) as partial:
        partial.write_text(text, encoding="utf-8")
    options.console.print(str(file))
    options.console.info(f"written: {file}, a run file that works without changes")
    options.console.info(f"next: mtlsearch check {file}, then mtlsearch search {file}")


def own_sources(registry: PluginRegistry) -> list[str]:
    """Return a comment per source that reads files: an entry of ``data.sources`` and its labels.

    Args:
        registry: all plugins.

    Returns:
        The lines.
    """
    lines = []
    for name, source in registry.datasets.items():
        if source.generated:
            continue
        settings = f", {source.example}" if source.example else ""
        lines += [f"#   - {{kind: {name}, root: FOLDER{settings}}}", f"#       {source.summary}"]
        if source.label_summary:
            lines.append(f"#       labels: {source.label_summary}")
    return lines


def first_run(registry: PluginRegistry) -> str:
    """Return a run file for a generated source, one task per label and the largest space.

    Args:
        registry: all plugins.

    Returns:
        The text, YAML with comments.

    Raises:
        PluginError: no plugin adds a generated source, a suitable task kind or search space.
    """
    from mtlsearch.config import Part, run_template
    from mtlsearch.errors import PluginError

    name = next((name for name, cls in registry.datasets.items() if cls.generated), None)
    if name is None:
        raise PluginError(
            "no plugin adds a data set source that generates its images",
            allowed=list(registry.datasets),
            next_step="`mtlsearch list plugins` shows the plugins that failed to load",
        )
    source = registry.datasets[name]
    labels = source(source.Settings(), root=Path(), seed=0).labels
    tasks = {
        label: Part(kind, registry.tasks[kind].Settings)
        for label, spec in labels.items()
        for kind in _kinds(registry, spec.form)[:1]
    }
    if not tasks:
        raise PluginError(
            f"no plugin adds a task kind for the labels of {name!r}",
            allowed=[f"{label} ({spec.form})" for label, spec in labels.items()],
            next_step="`mtlsearch list plugins` shows the plugins that failed to load",
        )
    space = _largest_space(registry, sorted(tasks))
    return run_template(
        [Part(name, source.Settings)], tasks, Part(space, registry.spaces[space].Settings), SMALL
    )


def _kinds(registry: PluginRegistry, form: Form) -> list[str]:
    """Return the task kinds that accept a form of labels."""
    return [name for name, task in registry.tasks.items() if form in task.accepts]


def _largest_space(registry: PluginRegistry, tasks: list[str]) -> str:
    """Return the starter space with the most plans; unknown numbers count as 0."""
    from mtlsearch.errors import PluginError
    from mtlsearch.plan import UnitSpec

    units = [UnitSpec(index, f"unit{index}", 8, 2, 1, 1) for index in range(5)]
    counts = {
        name: space(space.Settings()).count(units, tasks) or 0
        for name, space in registry.spaces.items()
        if space.starter
        and not any(field.is_required() for field in space.Settings.model_fields.values())
    }
    if not counts:
        raise PluginError("no plugin adds a search space that works without settings")
    return max(counts, key=lambda name: counts[name])
