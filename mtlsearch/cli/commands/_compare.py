"""``mtlsearch compare``."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtlsearch.cli._context import read_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._picture import check_picture

if TYPE_CHECKING:
    import pandas as pd


def compare(
    ctx: typer.Context,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Two or more run folders.")],
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="Trials per run, besides the baselines.")
    ] = 3,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Draw the fronts to a PNG, SVG or PDF file."),
    ] = None,
) -> None:
    """Compare the best trials of several runs.

    Runs that were measured or trained differently from the first one are marked, and the keys are
    listed. Δm refers to the independent baseline of the same run.
    """
    options = GlobalOptions.of(ctx)

    from mtlsearch.files import Outputs
    from mtlsearch.report import NOT_COUNTED
    from mtlsearch.runs import compare_runs

    config_by_run = {str(run): read_run(run, options).config for run in runs}
    outputs = Outputs("compare")
    if out is not None:
        from mtlsearch.report import require_picture

        require_picture(out, option="--out")
        for config in config_by_run.values():
            check_picture(out, outputs, config)
    comparison = compare_runs(config_by_run)
    table = comparison.table(top)
    not_counted = comparison.not_counted_by_run
    metrics = [str(name) for name in table.columns if "." in str(name)]
    options.console.table(
        [
            *("run", "differs", "trial", "Δm %", "expected Δm %"),
            *(*metrics, "params", "FLOPs", "plan"),
        ],
        list(_rows(table, metrics, not_counted)),
    )
    for run, names in not_counted.items():
        if names:
            options.console.print(f"{NOT_COUNTED} Δm of {run} does not count {', '.join(names)}")
    for line in comparison.remarks:
        options.console.print(line)
    if out is not None:
        from mtlsearch.report import draw_fronts

        with outputs.write(out) as temporary:
            draw_fronts(comparison.frame_by_run, temporary)
        options.console.print(str(out))


def _rows(
    table: pd.DataFrame, metrics: list[str], not_counted: Mapping[str, Collection[str]]
) -> Iterator[list[str]]:
    from mtlsearch.report import NOT_COUNTED

    for row in table.to_dict("records"):
        numbers = {metric: _number(row[metric], ".3f") for metric in metrics}
        marked = {
            name: f"{NOT_COUNTED} {numbers[name]}"
            for name in not_counted[row["run"]]
            if numbers.get(name)
        }
        yield [
            row["run"],
            row["differs"],
            str(row["trial"]),
            _number(row["delta_m"], "+.2f"),
            _expected(row),
            *(numbers | marked).values(),
            f"{row['params'] / 1e6:.1f} M",
            f"{row['flops'] / 1e9:.2f} G",
            str(row["plan"]),
        ]


def _expected(row: Mapping[Hashable, Any]) -> str:
    mean = _number(row["expected_delta_m"], "+.2f")
    return mean and f"{mean} ± {_number(row['expected_delta_m_sd'], '.2f')}"


def _number(value: Any, spec: str) -> str:
    """Return a number as text; an empty one if it is missing."""
    import pandas as pd

    return "" if value is None or pd.isna(value) else format(value, spec)
