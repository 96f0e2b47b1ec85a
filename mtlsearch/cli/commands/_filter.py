"""``mtlsearch filter``."""

from __future__ import annotations

import typer

from mtlsearch.cli._context import read_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import RunFolder


def filter_tasks(ctx: typer.Context, run: RunFolder) -> None:
    """Show what each task does to the others, and which tasks to separate.

    Each cell is the estimated change of a task, in percent of its metrics, if the task of the row
    joins a network that all others share in full. Cells within two standard deviations show
    nothing; the others are marked with *.
    """
    options = GlobalOptions.of(ctx)
    config = read_run(run, options).config

    from mtlsearch.errors import RunError
    from mtlsearch.search import task_effects
    from mtlsearch.study import read_view

    if config.extends is not None:
        raise RunError(
            "an extension does not allow an estimate of what tasks do to each other: its trials "
            f"keep {', '.join(config.extends.tasks)}",
            where=str(run),
            next_step=f"use filter on the run of the network in use ({config.extends.run}), or on "
            "a search with all tasks",
        )
    effects = task_effects(read_view(run, config))
    if effects is None:
        raise RunError(
            "the trials do not allow an estimate of what tasks do to each other",
            where=str(run),
            allowed=["two to eight tasks", "plans of one backbone without skipped units"],
            next_step="resume the run by `mtlsearch search` until both baselines are complete",
        )
    tasks = list(effects.by_task)
    rows = [
        [
            task,
            *(
                f"{effect}{' *' if effect.is_clear else ''}"
                if (effect := changes.get(other)) is not None
                else ""
                for other in tasks
            ),
        ]
        for task, changes in effects.by_task.items()
    ]
    options.console.table(["presence of", *(f"changes {task} by" for task in tasks)], rows)
    for sentence in effects.sentences:
        options.console.print(sentence)
