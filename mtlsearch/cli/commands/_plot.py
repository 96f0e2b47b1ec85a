"""``mtlsearch plot``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mtlsearch.cli._context import pick_device, read_run, reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import Device, RunDataRoot, RunFolder
from mtlsearch.cli._picture import check_picture
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._trial import parse_trial

if TYPE_CHECKING:
    from mtlsearch.evaluation import TaskEvaluation
    from mtlsearch.plan import SharingPlan
    from mtlsearch.report.page import RunContents

Kind = Literal["curves", "front", "plans", "confusion", "importance"]


def plot(
    ctx: typer.Context,
    run: RunFolder,
    kind: Annotated[
        Kind, typer.Argument(metavar="KIND", help="curves, front, plans, confusion or importance.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="PNG, SVG or PDF file. Default: RUN/KIND.png."),
    ] = None,
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="plans: number of plans, the best first.")
    ] = 3,
    trial: Annotated[
        str, typer.Option("--trial", metavar="best|N", help="confusion: trial of the run.")
    ] = "best",
    data_root: RunDataRoot = None,
    device: Device = "auto",
) -> None:
    """Draw a picture of a run.

    curves: loss and primary metric by epoch. front: Δm over FLOPs. plans: the first sharing plans
    of the leaderboard. confusion: confusion matrices on the validation split, from weights and
    data. importance: change of each task against shared units, and importance of searched params.
    """
    options = GlobalOptions.of(ctx)
    config = read_run(run, options).config

    from mtlsearch.files import Outputs
    from mtlsearch.report import require_picture

    path = out or run / f"{kind}.png"
    outputs = Outputs("plot")
    check_picture(path, outputs, config)
    require_picture(path, option="--out")
    draw = _drawing(run, kind, top, trial, data_root, device, options)
    with outputs.write(path) as temporary:
        draw(temporary)
    options.console.print(str(path))


def _drawing(
    run: Path,
    kind: Kind,
    top: int,
    trial: str,
    data_root: Path | None,
    device: str,
    options: GlobalOptions,
) -> Callable[[Path], None]:
    """Return the function that draws a picture to a file."""
    from mtlsearch.report import (
        curve_panels,
        draw_confusions,
        draw_importance,
        draw_learning_curves,
        draw_sharing,
        pair_effects,
    )
    from mtlsearch.report import plot as draw_front
    from mtlsearch.report.page import read_contents

    if kind == "confusion":
        matrices = _confusions(run, trial, data_root, device, options)
        return lambda path: draw_confusions(matrices, path)
    contents = read_contents(run, read_run(run, options).config, with_units=False)
    roles = contents.role_by_trial
    if kind == "front":
        return lambda path: draw_front(contents.frame, path)
    if kind == "plans":
        plans = _plans(contents, top)
        return lambda path: draw_sharing(plans, path)
    if kind == "curves":
        panels = curve_panels(contents.records, contents.history_by_trial, roles)
        return lambda path: draw_learning_curves(panels, path)
    effects = pair_effects(contents.records, contents.repeats)
    return lambda path: draw_importance(effects, contents.importance_by_param, roles, path)


def _plans(contents: RunContents, top: int) -> dict[str, SharingPlan]:
    """Return the first plans of the leaderboard by title.

    Raises:
        RunError: no trial is complete.
    """
    from mtlsearch.errors import RunError

    plans = {
        f"trial {record.number}{f', {record.baseline}' if record.baseline else ''}": (
            record.candidate.plan
        )
        for record in contents.ranked_plans[:top]
    }
    if not plans:
        raise RunError(
            "no trial is complete, so the plot would be empty",
            where=str(contents.path),
            next_step="resume the run by `mtlsearch search`",
        )
    return plans


def _confusions(
    run: Path, trial: str, data_root: Path | None, device: str, options: GlobalOptions
) -> dict[str, TaskEvaluation]:
    """Return the validation results with a confusion matrix by title.

    Raises:
        RunError: the trial does not exist, its weights are not on disk, or no task has a matrix.
    """
    from mtlsearch.errors import RunError
    from mtlsearch.evaluation import evaluate_split, trial_job
    from mtlsearch.runs import reopen_session, select_network

    number = parse_trial(trial)
    resolved = reopen_run(run, options, data_root)
    record, folder = select_network(run, resolved.config, number, None, options.console.info)
    with ProgressView(options.console) as progress:
        session = reopen_session(
            resolved, folder, run, device=pick_device(device), progress=progress
        )
        job = trial_job(session, record, split="val", resamples=0, seed=0)
        evaluation = evaluate_split(job, progress.stage)
    matrices = {
        f"{name}, trial {record.number}, val": task
        for name, task in evaluation.tasks.items()
        if task.confusion is not None
    }
    if not matrices:
        raise RunError(
            "no task of the run has a confusion matrix",
            where=str(run),
            next_step="draw another kind of picture, such as curves",
        )
    return matrices
