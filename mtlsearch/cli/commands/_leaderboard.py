"""``mtlsearch leaderboard``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._context import read_run
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._options import RunFolder


def leaderboard(
    ctx: typer.Context,
    run: RunFolder,
    form: Annotated[
        Literal["table", "csv", "json", "markdown"],
        typer.Option("--format", help="table and markdown: primary metrics; csv and json: all."),
    ] = "table",
    sort: Annotated[
        str, typer.Option(metavar="COLUMN", help="What to rank by, any metric too.")
    ] = "delta_m",
    top: Annotated[
        int | None, typer.Option(min=1, help="Only so many rows; marks are of the whole run.")
    ] = None,
    all_metrics: Annotated[
        bool, typer.Option("--all-metrics", help="Every metric, in tables for people as well.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw Δm against FLOPs with the Pareto front."),
    ] = None,
) -> None:
    """Show every trial of a run, the best first."""
    shell = Shell.of(ctx)
    loaded = read_run(run, shell)

    from mtlsearch.report import plot as draw
    from mtlsearch.report import render, require_picture
    from mtlsearch.results import leaderboard as rank
    from mtlsearch.results import objectives_in
    from mtlsearch.runs import read_confirmed
    from mtlsearch.study import read_records

    if plot is not None:
        require_picture(plot)
    records = read_records(run, loaded.config)
    if not records:
        shell.console.say("no trial was begun yet; `mtlsearch search` goes on with the run")
    everything = all_metrics or form in ("csv", "json")
    frame = rank(
        records,
        objectives=objectives_in(records, loaded.config.search.objectives),
        sort=sort,
        all_metrics=everything,
        confirmed=read_confirmed(run, loaded.config, records),
    )
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else None
    shown = frame if top is None else frame.head(top)  # the picture is of all trials
    shell.console.result(render(shown, form, width=width, colour=is_terminal).rstrip("\n"))
    if plot is not None:
        draw(frame, plot)
        shell.console.say(f"drawn: {plot}")
