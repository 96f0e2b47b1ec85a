"""``mtlsearch leaderboard``."""

from __future__ import annotations

import gc
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._context import read_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import RunFolder
from mtlsearch.cli._picture import check_picture

MAX_ROWS = 200
"""Rows of a table without ``--top``."""


def leaderboard(
    ctx: typer.Context,
    run: RunFolder,
    form: Annotated[
        Literal["table", "csv", "json", "markdown"],
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="table, markdown, csv or json (csv and json with all metrics).",
        ),
    ] = "table",
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Column to sort by, for example a metric; default: expected Δm."
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Show only the first N rows; default: 200 in table and markdown, else all.",
        ),
    ] = None,
    all_metrics: Annotated[
        bool, typer.Option("--all-metrics", help="Show all metrics, not only the primary ones.")
    ] = False,
    errors: Annotated[
        bool,
        typer.Option("--errors", help="Show standard errors over validation images."),
    ] = False,
    per_class: Annotated[
        str | None,
        typer.Option("--per-class", metavar="TASK", help="Show results per class of a task."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Plot Δm over FLOPs with the Pareto front."),
    ] = None,
) -> None:
    """Show all trials of a run, the best first."""
    options = GlobalOptions.of(ctx)
    # Reading 10,000 trials creates millions of objects that all stay: a third of the time would
    # be spent on looking for garbage among them, once more at the end of the program.
    gc.disable()
    ctx.call_on_close(_ignore_present_objects)
    loaded = read_run(run, options)

    from mtlsearch.files import Outputs
    from mtlsearch.report import render, render_per_class
    from mtlsearch.results import per_class_results
    from mtlsearch.runs import rank_trials, read_verdict
    from mtlsearch.study import read_view

    outputs = Outputs("leaderboard")
    if plot is not None:
        from mtlsearch.report import require_picture

        check_picture(plot, outputs, loaded.config)
        require_picture(plot)
    view = read_view(run, loaded.config)
    records = view.networks
    if not records:
        options.console.info("the run has no trials yet; `mtlsearch search` resumes it")
    verdict = read_verdict(run, loaded.config, view)
    frame = rank_trials(
        run,
        loaded.config,
        view,
        verdict,
        sort=sort,
        all_metrics=all_metrics or form in ("csv", "json"),
        with_errors=errors,
    )
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else None
    is_table = form in ("table", "markdown")
    num_shown = top or (MAX_ROWS if is_table else len(frame))
    shown = frame.head(num_shown)  # the plot shows all trials
    if per_class is None:
        text = render(shown, form, width=width, color=is_terminal)
    else:
        results = per_class_results(records, per_class)
        text = render_per_class(results, shown, per_class, form, width=width)
    if is_table and per_class is None and verdict is not None:
        text = "\n".join([*verdict.sentences, "", text])
    options.console.print(text.rstrip("\n"))
    if top is None and num_shown < len(frame):
        options.console.info(
            f"{num_shown} of {len(frame)} trials are shown, the best first: see the others with "
            f"--top {len(frame)} or --format csv"
        )
    if plot is not None:
        from mtlsearch.report import plot as draw

        with outputs.write(plot) as temporary:
            draw(frame, temporary)
        options.console.info(f"written: {plot}")


def _ignore_present_objects() -> None:
    gc.freeze()
    gc.enable()
