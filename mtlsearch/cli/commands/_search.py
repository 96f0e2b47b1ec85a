"""``mtlsearch search``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtlsearch.cli._context import open_run, run_name
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._options import Device, Overrides, RunFile
from mtlsearch.cli._processes import joined_processes
from mtlsearch.cli._progress import ProgressView
from mtlsearch.errors import RunError


def search(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The run directory; default: results/NAME."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help="Trials in all, those already done included."),
    ] = None,
    overrides: Overrides = None,
    device: Device = "auto",
) -> None:
    """Search for the best sharing plan, or go on with a search that was stopped.

    Both baselines come first. The same command goes on after a stop, even by kill -9.
    It loses at most the trial that was running.
    """
    shell = Shell.of(ctx)
    given = [*(overrides or ()), *([f"search.trials={trials}"] if trials else ())]
    resolved = open_run(file, shell, given)  # what is wrong is said before torch loads

    from mtlsearch.runs import run_search, run_search_worker

    folder = out or Path("results") / run_name(file)
    try:
        with joined_processes(device) as (ranks, place):
            if ranks.rank > 0:
                run_search_worker(resolved, folder, device=place, ranks=ranks)
                return
            with ProgressView(shell.console) as progress:
                outcome = run_search(resolved, folder, device=place, progress=progress, ranks=ranks)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(_stopped(folder))) from stop
    if outcome.exhausted:
        shell.console.say(
            f"{outcome.num_finished} of {resolved.config.search.trials} trials: {outcome.reason}"
        )
    shell.console.result(str(folder))
    shell.console.say(f"next: mtlsearch leaderboard {folder}")


def _stopped(folder: Path) -> RunError:
    return RunError(
        "finished trials are kept, the one that was running is run again",
        where=str(folder),
        next_step=f"the same command goes on; `mtlsearch leaderboard {folder}` shows what there is",
    )
