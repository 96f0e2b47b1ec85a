"""Write the generated parts of the documentation: ``make docs``.

``docs/run-file.md`` comes from the models that validate run files and plugin settings,
``docs/images/sharing.png`` from three sharing plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mtlsearch.config import run_file_reference, settings_reference
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Balancer, DatasetSource, SearchSpace, Task
from mtlsearch.registry import PluginRegistry, build_registry
from mtlsearch.report import draw_sharing

DOCS = Path(__file__).resolve().parent
PLUGIN_PACKAGES = ("mtlsearch_plugins", "mtlsearch_search_spaces")

INTRODUCTION = """\
# Run file

Every key of a run file. This page is generated from the code by `make docs`.

- `mtlsearch init DIR` writes a run file with all keys and their descriptions.
- `--set KEY=VALUE` replaces a value. `search` has short options for some keys: `--epochs`,
  `--batch-size`, `--seed`, `--trials` and `--data-root`.
- Items of a list are numbered from 0 in `--set`: `data.sources.0.kind`.
- An unknown key is an error that names the line and the nearest valid key.
- A key has its default if the run file omits it. The run directory's `run.yaml` contains all
  values.
"""

Classes = Mapping[str, type[Task] | type[DatasetSource] | type[SearchSpace] | type[Balancer]]


def run_file_page(registry: PluginRegistry) -> str:
    """Return the page of all run-file keys and all settings of built-in plugins.

    Args:
        registry: the plugins.

    Returns:
        Markdown.
    """
    sections = [
        INTRODUCTION,
        run_file_reference(),
        *_plugins("Task kinds", "`tasks.NAME`", registry.tasks),
        *_plugins("Sources", "an item of `data.sources`", registry.datasets),
        *_plugins("Spaces", "`search.space`", registry.spaces),
        *_plugins("Balancers", "`search.balancer`", registry.balancers),
    ]
    return "\n".join(sections)


def _plugins(title: str, place: str, classes: Classes) -> Iterator[str]:
    built_in = {
        name: cls
        for name, cls in sorted(classes.items())
        if cls.__module__.startswith(PLUGIN_PACKAGES)
    }
    yield f"## {title}\n\nSettings beside `kind` in {place}.\n"
    rows = [f"| `{name}` | {cls.summary} |" for name, cls in built_in.items()]
    yield "\n".join(["| name | summary |", "| --- | --- |", *rows, ""])
    for name, cls in built_in.items():
        if cls.Settings.model_fields:
            yield f"### `{name}`\n\n{settings_reference(cls.Settings)}"


def draw_plans(path: Path) -> None:
    """Draw the plans `independent`, `hard` and a tree.

    Args:
        path: the picture to write.
    """
    tasks = ["objects", "scene", "shapes"]
    tree = SharingPlan.from_splits(["objects", "shapes", "scene"], [4, 2], 5)
    plans = {
        "independent": SharingPlan.independent(tasks, 5),
        "hard": SharingPlan.hard(tasks, 5),
        "tree": tree,
    }
    draw_sharing(plans, path)


if __name__ == "__main__":
    page = run_file_page(build_registry())
    (DOCS / "run-file.md").write_text(page, encoding="utf-8")
    draw_plans(DOCS / "images" / "sharing.png")
