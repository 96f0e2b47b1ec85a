"""``mtlsearch estimate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._console import Console
from mtlsearch.cli._context import open_run, pick_device
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import (
    BatchSize,
    DataRoot,
    Device,
    Epochs,
    Overrides,
    RunFile,
    Seed,
    merge_overrides,
)
from mtlsearch.cli._progress import ProgressView
from mtlsearch.errors import RunError
from mtlsearch.files import default_run_folder

if TYPE_CHECKING:
    from mtlsearch.search.estimate import Estimate, PlanEstimate


def estimate(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Run directory. Default: results/NAME, with NAME as in search --help.",
        ),
    ] = None,
    plans: Annotated[
        int,
        typer.Option(
            "--plans", metavar="N", min=1, help="Plans to train to a third of the epochs."
        ),
    ] = 6,
    top: Annotated[
        int, typer.Option("--top", metavar="N", min=1, help="Number of plans in the table.")
    ] = 10,
    merge: Annotated[
        bool | None,
        typer.Option(
            "--merge/--no-merge",
            help="Use merged single-task networks too. Default: if the backbone is pretrained "
            "and this costs at most two trainings.",
        ),
    ] = None,
    own_schedule: Annotated[
        bool,
        typer.Option(
            "--own-schedule",
            help="Decay the learning rate of the short trainings to its end. They are compared "
            "with short trainings of both baselines, and no search resumes them.",
        ),
    ] = False,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    data_root: DataRoot = None,
    overrides: Overrides = None,
    device: Device = "auto",
) -> None:
    """Rank all sharing plans from a few short trainings.

    Trains both baselines in full and some plans to a third of the epochs, for the price of about
    two trainings. They are trials of the run directory, which a search resumes. After an
    interruption, the same command continues. A later call uses what is trained.
    """
    options = GlobalOptions.of(ctx)
    values = merge_overrides(
        overrides, epochs=epochs, batch_size=batch_size, seed=seed, data_root=data_root
    )
    resolved = open_run(file, options, values)

    from mtlsearch.runs import run_estimate

    folder = out or default_run_folder(file)
    try:
        with ProgressView(options.console) as progress:
            outcome = run_estimate(
                resolved,
                folder,
                plans=plans,
                should_merge=merge,
                has_own_schedule=own_schedule,
                device=pick_device(device),
                progress=progress,
            )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(_interruption(folder))) from stop
    _show_plans(outcome, top, options.console)
    _show_tasks(outcome, options.console)
    options.console.print("")
    for sentence in _verdict(outcome):
        options.console.print(sentence)
    options.console.info(f"written: {folder / 'estimate.json'}")
    options.console.info(f"next: mtlsearch search {file} --out {folder}")


def _interruption(folder: Path) -> RunError:
    return RunError(
        "finished trials are kept, the running trial starts again on resume",
        where=str(folder),
        next_step="run the same command to resume",
    )


def _show_plans(estimate: Estimate, top: int, console: Console) -> None:
    tasks = list(estimate.task_by_name)
    ranks = {id(item): rank for rank, item in enumerate(estimate.plans, start=1)}
    baselines = [item for item in estimate.plans[top:] if item.baseline is not None]
    console.print(
        f"\nexpected change against independent in percent, of {len(estimate.plans)} plans"
    )
    independent = _independent(estimate)
    rows = [
        (
            str(ranks[id(item)]),
            f"{item.plan}{' *' if item.is_trained else ''}",
            _with_error(item.mean, item.deviation),
            *(_with_error(item.mean_by_task[task], item.deviation_by_task[task]) for task in tasks),
            f"{item.flops / 1e9:.3f} G ({item.flops / independent.flops:.0%})",
            f"{item.parameters / 1e6:.2f} M ({item.parameters / independent.parameters:.0%})",
        )
        for item in (*estimate.plans[:top], *baselines)
    ]
    console.table(("rank", "plan", "Δm", *tasks, "FLOPs", "parameters"), rows)
    console.print(_trained(estimate))


def _trained(estimate: Estimate) -> str:
    if estimate.epochs == estimate.full_epochs:
        return "* trained in full"
    if estimate.has_own_schedule:
        epochs = "1 epoch" if estimate.epochs == 1 else f"{estimate.epochs} epochs"
        return (
            f"* trained: baselines in full, others by a search or for {epochs} with a schedule of "
            "their own"
        )
    return (
        f"* trained: baselines in full, others for {estimate.epochs} of {estimate.full_epochs} "
        "epochs or more"
    )


def _show_tasks(estimate: Estimate, console: Console) -> None:
    console.print("\nhow far the estimate can be relied on: correlations with single trainings")
    rows = [
        (
            task,
            f"{item.spread:.2f}",
            f"{item.noise:.2f}",
            f"{item.expected:.2f}",
            f"{item.ceiling:.2f}",
            _number(item.left_out),
            _number(item.early_to_final),
            *([_prior(item.prior_scale, item.prior_correlation)] if _has_prior(estimate) else []),
        )
        for task, item in estimate.task_by_name.items()
    ]
    prior = ["merged networks"] if _has_prior(estimate) else []
    console.table(
        ("task", "spread %", "noise %", "expected", "ceiling", "left out", "early-final", *prior),
        rows,
    )


def _verdict(estimate: Estimate) -> Sequence[str]:
    """Return the result in two sentences."""
    best, independent = estimate.best, _independent(estimate)
    difference = _with_error(estimate.difference, estimate.difference_deviation)
    if best.baseline is not None:
        return (f"No other plan than {best.baseline} is within the limits.",)
    first = (
        f"Best of {len(estimate.plans)} plans: {best.plan}, expected Δm "
        f"{_with_error(best.mean, best.deviation)} %, with "
        f"{best.flops / independent.flops:.0%} of the FLOPs of independent."
    )
    if estimate.is_shown:
        return (
            first,
            f"It is expected to exceed {estimate.better_baseline}, the better baseline, by more "
            f"than one standard deviation ({difference} points).",
        )
    return (
        first,
        f"No plan is expected to exceed {estimate.better_baseline}, the better baseline, by one "
        f"standard deviation (the best by {difference} points).",
    )


def _independent(estimate: Estimate) -> PlanEstimate:
    return next(item for item in estimate.plans if item.baseline == "independent")


def _has_prior(estimate: Estimate) -> bool:
    return any(item.prior_scale is not None for item in estimate.task_by_name.values())


def _prior(scale: float | None, correlation: float | None) -> str:
    if scale is None:
        return "?"
    used = "not used" if scale == 0.0 else f"times {scale:.2f}"
    return used if correlation is None else f"{used} (correlation {correlation:.2f})"


def _with_error(value: float, error: float) -> str:
    return f"{value:+.2f} ± {error:.2f}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"
