"""``mtlsearch repair``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtlsearch.cli._context import read_run, reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import RunDataRoot, RunFolder
from mtlsearch.errors import ConfigError


def repair(
    ctx: typer.Context,
    run: RunFolder,
    should_accept_data: Annotated[
        bool,
        typer.Option(
            "--accept-data",
            help="Instead, record the present sizes of the files of images, which were written "
            "again with the same pixels. Names of images, labels, and sizes of files with masks, "
            "maps or other labels must be as they were.",
        ),
    ] = False,
    data_root: RunDataRoot = None,
) -> None:
    """Set aside the damaged lines of a run's journal, and keep a backup.

    All other lines are kept. A trial whose results were in a damaged line runs again when the
    search resumes.
    """
    options = GlobalOptions.of(ctx)
    if should_accept_data:
        _accept_data(run, options, data_root)
        return
    if data_root is not None:
        raise ConfigError(
            "a repair of the journal reads no data",
            where="--data-root",
            next_step="omit it, or add `--accept-data`",
        )
    loaded = read_run(run, options)

    from mtlsearch.study import repair_journal

    console, result = options.console, repair_journal(run, loaded.config)
    for line in result.damaged:
        console.print(f"line {line.number} {line.reason}")
    if result.damaged:
        console.print(
            f"{len(result.damaged)} of {result.num_lines} lines set aside: {result.side_file}"
        )
        console.print(f"backup of the journal: {result.backup}")
        if result.num_restored:
            console.print(f"trials whose first line was damaged: {result.num_restored}")
    else:
        console.print(f"no line of {result.num_lines} is damaged, nothing was changed")
    states = ", ".join(f"{count} {state}" for state, count in sorted(result.num_by_state.items()))
    console.print(f"trials that can be read: {states or 'none'}")
    console.info(f"next: mtlsearch leaderboard {run}")


def _accept_data(run: Path, options: GlobalOptions, data_root: Path | None) -> None:
    """Record the sizes of the files of images."""
    resolved = reopen_run(run, options, data_root)

    from mtlsearch.runs import accept_data
    from mtlsearch.study import RunDirectory

    count = accept_data(resolved, RunDirectory(run))
    if count:
        options.console.print(f"sizes of the files of {count} images recorded; the search resumes")
    else:
        options.console.print("the sizes of all files are as recorded, nothing was changed")
    options.console.info(f"next: mtlsearch leaderboard {run}")
