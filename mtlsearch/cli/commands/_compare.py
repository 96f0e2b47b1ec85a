"""``mtlsearch compare``."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtlsearch.cli._context import read_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._picture import check_picture

if TYPE_CHECKING:
    import pandas as pd

    from mtlsearch.config import RunConfig

SECTIONS = {"data": "data", "tasks": "tasks", "train": "training", "seed": "seed"}
"""First part of a key, and the mark of a run that differs in it."""

UNIMPORTANT = ("data.cache", "data.num_workers", "data.allow_outside_root")
"""Keys of these sections that change no result."""


def compare(
    ctx: typer.Context,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Two or more run folders.")],
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

    from mtlsearch.errors import ConfigError
    from mtlsearch.files import Outputs

    names = [str(run) for run in runs]
    if len(set(names)) < len(names) or len(names) < 2:
        raise ConfigError(
            "two or more different runs are needed",
            where=" ".join(names),
            next_step="name each run directory once",
        )
    config_by_run = {str(run): read_run(run, options).config for run in runs}
    require_common_tasks(config_by_run)
    outputs = Outputs("compare")
    if out is not None:
        from mtlsearch.report import require_picture

        require_picture(out, option="--out")
        for config in config_by_run.values():
            check_picture(out, outputs, config)
    frame_by_run = {name: _frame(Path(name), config) for name, config in config_by_run.items()}
    first, *others = names
    keys_by_run = {
        name: differing_keys(config_by_run[first], config_by_run[name]) for name in others
    }
    columns, rows = table(frame_by_run, keys_by_run, top)
    options.console.table(columns, rows)
    for name, keys in keys_by_run.items():
        for line in remarks(config_by_run[first], config_by_run[name], first, name, keys):
            options.console.print(line)
    if out is not None:
        from mtlsearch.report import draw_fronts

        with outputs.write(out) as temporary:
            draw_fronts(frame_by_run, temporary)
        options.console.print(str(out))


def require_common_tasks(config_by_run: Mapping[str, RunConfig]) -> None:
    """Check that a task of the first run, of the same kind, is in each other run.

    Args:
        config_by_run: run files by run directory.

    Raises:
        ConfigError: a run has no task in common with the first one.
    """
    from mtlsearch.errors import ConfigError

    first, *others = config_by_run
    kinds = {name: task.kind for name, task in config_by_run[first].tasks.items()}
    for other in others:
        tasks = config_by_run[other].tasks
        if not any(kinds.get(name) == task.kind for name, task in tasks.items()):
            raise ConfigError(
                f"the run has no task in common with {first}, so nothing can be compared",
                where=other,
                allowed=[f"{name} ({kind})" for name, kind in kinds.items()],
                next_step="compare runs of the same tasks",
            )


def _frame(run: Path, config: RunConfig) -> pd.DataFrame:
    """Return the leaderboard of a run."""
    from mtlsearch.runs import rank_trials, read_verdict
    from mtlsearch.study import read_view

    view = read_view(run, config)
    return rank_trials(run, config, view, read_verdict(run, config, view))


def differing_keys(first: RunConfig, other: RunConfig) -> list[str]:
    """Return the keys in which two runs differ and which change metrics of a plan.

    Args:
        first: run file of the first run.
        other: run file of another run.

    Returns:
        The keys of ``data``, ``tasks``, ``train``, ``seed`` and ``backbone``.
    """
    from mtlsearch.config import difference

    return [
        key
        for key in difference(first, other)
        if key.split(".")[0] in {*SECTIONS, "backbone"} and not key.startswith(UNIMPORTANT)
    ]


def table(
    frame_by_run: Mapping[str, pd.DataFrame], keys_by_run: Mapping[str, Sequence[str]], top: int
) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows: the first trials of each run, and its baselines.

    Args:
        frame_by_run: leaderboards by run directory.
        keys_by_run: keys in which each run but the first one differs.
        top: number of trials per run besides its baselines.

    Returns:
        Names of the columns, and the cells.
    """
    names = {str(name) for frame in frame_by_run.values() for name in frame.columns}
    metrics = sorted(name for name in names if "." in name)
    columns = ["run", "differs", "trial", "Δm %", "expected Δm %", *metrics, "params", "FLOPs"]
    rows: list[list[str]] = []
    for run, frame in frame_by_run.items():
        marks = {SECTIONS.get(key.split(".")[0], "backbone") for key in keys_by_run.get(run, ())}
        complete = frame[frame["state"] == "complete"]
        is_baseline = complete["baseline"].notna()
        chosen = complete[is_baseline | ((~is_baseline).cumsum() <= top)]
        rows.extend(
            [
                run,
                ", ".join(sorted(marks)),
                str(row["trial"]),
                _number(row["delta_m"], "+.2f"),
                _expected(row),
                *(_number(row.get(metric), ".3f") for metric in metrics),
                f"{row['params'] / 1e6:.1f} M",
                f"{row['flops'] / 1e9:.2f} G",
                str(row["plan"]),
            ]
            for row in chosen.to_dict("records")
        )
    return [*columns, "plan"], rows


def _expected(row: Mapping[Hashable, Any]) -> str:
    mean = _number(row["expected_delta_m"], "+.2f")
    return mean and f"{mean} ± {_number(row['expected_delta_m_sd'], '.2f')}"


def _number(value: Any, spec: str) -> str:
    """Return a number as text; an empty one if it is missing."""
    import pandas as pd

    return "" if value is None or pd.isna(value) else format(value, spec)


def remarks(
    first: RunConfig, other: RunConfig, first_run: str, other_run: str, keys: Sequence[str]
) -> Iterator[str]:
    """Yield what differs between two runs, and what that means for the comparison.

    Args:
        first: run file of the first run.
        other: run file of another run.
        first_run: run directory of the first run.
        other_run: run directory of the other run.
        keys: result of :func:`differing_keys`.

    Yields:
        The lines.
    """
    from mtlsearch.config import describe_difference

    sections = {key.split(".")[0] for key in keys}
    if not sections:
        return
    yield f"{other_run} differs from {first_run}:"
    for key in keys:
        text = describe_difference(first, other, key)
        text = text.removesuffix(" now").replace(" in this run ", f" in {first_run} ")
        yield f"  {text} in {other_run}"
    if sections & {"data", "tasks"}:
        yield "  Metrics and Δm were measured differently and are not comparable."
    elif sections & {"train", "backbone"}:
        yield "  Metrics are comparable. Δm is not: it refers to another independent baseline."
    else:
        yield "  The seed differs: differences are partly noise."
