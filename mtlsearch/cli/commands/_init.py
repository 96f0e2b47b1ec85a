"""``mtlsearch init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._context import open_catalog
from mtlsearch.cli._global_options import Shell
from mtlsearch.files import atomic_write

if TYPE_CHECKING:
    from mtlsearch.registry import PluginRegistry

HEADER = """\
# A run file of mtlsearch: what to search for, in which images.
# It works as it stands, on generated images:
#
#   mtlsearch check {file}
#   mtlsearch search {file} --out {out}
#
# For images of your own put another source (`mtlsearch datasets`) under data.sources and
# name your tasks (`mtlsearch tasks`). Lines that begin with `#` show further settings.

"""

MODEST = {"data.image_size": (64, 64), "train.epochs": 4}
"""Small enough for a first search without a GPU."""


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write run.yaml.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a run.yaml there.")] = False,
) -> None:
    """Write a commented run file that works as it stands."""
    from mtlsearch.errors import ConfigError

    shell = Shell.of(ctx)
    file = folder / "run.yaml"
    if file.exists() and not force:
        raise ConfigError(
            "there is a run file already", where=str(file), next_step="--force replaces it"
        )
    out = Path("results") / folder.resolve().name
    text = HEADER.format(file=file, out=out) + first_run(open_catalog(shell))
    with atomic_write(file) as partial:
        partial.write_text(text, encoding="utf-8")
    shell.console.result(str(file))
    shell.console.say(f"next: mtlsearch search {file} --out {out}")


def first_run(registry: PluginRegistry) -> str:
    """A run file for a generated source, a task for each of its labels, the widest space.

    Raises:
        PluginError: no plugin gives what it takes.
    """
    from mtlsearch.config import Part, run_template
    from mtlsearch.errors import PluginError

    name = next((name for name, at in registry.datasets.items() if at.generated), None)
    if name is None:
        raise PluginError(
            "no plugin has a data set source that generates its images",
            allowed=list(registry.datasets),
            next_step="`mtlsearch plugins` lists what failed to load",
        )
    source = registry.dataset(name)
    labels = source(source.Settings(), root=Path(), seed=0).labels
    tasks = {
        label: Part(kind, registry.task(kind).Settings)
        for label, spec in labels.items()
        for kind in [at for at, task in registry.tasks.items() if spec.form in task.accepts][:1]
    }
    if not tasks:
        raise PluginError(
            f"no plugin has a task kind that learns one of the labels of {name!r}",
            allowed=[f"{label} ({spec.form})" for label, spec in labels.items()],
            next_step="`mtlsearch plugins` lists what failed to load",
        )
    space = _widest(registry, sorted(tasks))
    return run_template(
        [Part(name, source.Settings)], tasks, Part(space, registry.spaces[space].Settings), MODEST
    )


def _widest(registry: PluginRegistry, tasks: list[str]) -> str:
    """The starter space with the most plans to propose, as far as spaces know."""
    from mtlsearch.errors import PluginError
    from mtlsearch.plan import UnitSpec

    units = [UnitSpec(at, f"unit{at}", 8, 2, 1, 1) for at in range(5)]
    counts = {
        name: space(space.Settings()).count(units, tasks) or 0
        for name, space in registry.spaces.items()
        if space.starter
        and not any(field.is_required() for field in space.Settings.model_fields.values())
    }
    if not counts:
        raise PluginError("no plugin has a search space that works without settings")
    return max(counts, key=lambda name: counts[name])
