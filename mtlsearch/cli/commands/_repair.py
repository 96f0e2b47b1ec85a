"""``mtlsearch repair``."""

from __future__ import annotations

import typer

from mtlsearch.cli._context import read_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import RunFolder


def repair(ctx: typer.Context, run: RunFolder) -> None:
    """Set aside the damaged lines of a run's journal, and keep a backup.

    All other lines are kept. A trial whose results were in a damaged line runs again when the
    search resumes.
    """
    options = GlobalOptions.of(ctx)
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
