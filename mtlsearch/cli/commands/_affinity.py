"""``mtlsearch affinity``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._console import Console
from mtlsearch.cli._context import open_run, pick_device
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import DataRoot, Device, Overrides, RunFile, merge_overrides
from mtlsearch.cli._progress import ProgressView
from mtlsearch.files import default_run_folder

if TYPE_CHECKING:
    from mtlsearch.affinity import Affinity, Recommendation
    from mtlsearch.plan import SharingPlan
    from mtlsearch.runs import AffinityOutcome


def affinity(
    ctx: typer.Context,
    file: RunFile,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            min=1,
            help="Epochs per training. Default: a quarter of train.epochs.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Output folder. Default: results/NAME/affinity, with NAME as in search --help.",
        ),
    ] = None,
    data_root: DataRoot = None,
    overrides: Overrides = None,
    device: Device = "auto",
) -> None:
    """Estimate task affinity: how much tasks help each other.

    Trains the hard and the independent network for a few epochs. Compares the tasks by their
    gradients, by the effect of a step for one task on the loss of another, and by single-task
    representations. Recommends sharing plans and groups. These are estimates for a search.
    """
    options = GlobalOptions.of(ctx)
    resolved = open_run(file, options, merge_overrides(overrides, data_root=data_root))

    from mtlsearch.affinity import AFFINITY_FILES
    from mtlsearch.files import Outputs
    from mtlsearch.report import draw_affinity
    from mtlsearch.runs import run_affinity

    folder = out or default_run_folder(file) / "affinity"
    picture, outputs = folder / "affinity.png", Outputs("affinity")
    outputs.check(dict.fromkeys([picture, *(folder / name for name in AFFINITY_FILES)]))
    outputs.check_folder(folder)
    with ProgressView(options.console) as progress:
        outcome = run_affinity(
            resolved,
            folder,
            epochs=epochs,
            device=pick_device(device),
            progress=progress,
        )
    with outputs.write(picture) as temporary:
        draw_affinity(outcome.affinity, temporary)
    _show_matrices(outcome.affinity, options.console)
    _show_recommendation(outcome, options.console)
    options.console.info(f"written: {folder} (affinity.json, affinity.csv, affinity.png)")
    options.console.info(f"next: mtlsearch search {file} --set search.warm_start={folder}")


def _show_matrices(affinity: Affinity, console: Console) -> None:
    tasks, pairs = affinity.tasks, affinity.pairs
    for title, matrices in (
        ("gradient similarity: cosine, -1 to 1", affinity.gradients),
        ("similarity of single-task representations: linear CKA, 0 to 1", affinity.representations),
    ):
        console.print(f"\n{title}")
        rows = [
            (str(unit), name, *(_number(matrices[unit, i, j], "+.2f") for i, j in pairs))
            for unit, name in enumerate(affinity.units)
        ]
        names = [f"{tasks[i]} + {tasks[j]}" for i, j in pairs]  # wrapped at the blanks
        console.table(("unit", "modules", *names), rows)
    console.print("\nlookahead: decrease of a loss in percent after a step for one task")
    rows = [
        (task, *(_lookahead(affinity, i, j) for j in range(len(tasks))))
        for i, task in enumerate(tasks)
    ]
    console.table(("step for", *(f"loss of {task}" for task in tasks)), rows)
    console.debug(_basis(affinity))


def _lookahead(affinity: Affinity, i: int, j: int) -> str:
    value, error = 100 * affinity.lookahead[i, j], 100 * affinity.lookahead_error[i, j]
    spread = "" if math.isnan(error) else f" ± {error:.3f}"
    return _number(value, "+.3f") + spread


def _basis(affinity: Affinity) -> str:
    """Return how many epochs, images and steps the numbers are computed from."""
    steps_of_pairs = [(int(affinity.steps[i, j]), i, j) for i, j in affinity.pairs]
    fewest, i, j = min(steps_of_pairs)
    return (
        f"{_epochs(affinity)}, representations of {affinity.images} images, gradients of at most "
        f"{max(steps_of_pairs)[0]} steps, {fewest} of them with labels of both "
        f"{affinity.tasks[i]} and {affinity.tasks[j]}"
    )


def _epochs(affinity: Affinity) -> str:
    return "1 epoch" if affinity.epochs == 1 else f"{affinity.epochs} epochs"


def _number(value: float, form: str) -> str:
    return "?" if math.isnan(value) else f"{value:{form}}"


def _show_recommendation(outcome: AffinityOutcome, console: Console) -> None:
    affinity, recommendation = outcome.affinity, outcome.recommendation
    console.print(f"\nestimates from {_epochs(affinity)}, not yet measured by a search")
    if recommendation.plans:
        console.table(
            ("sharing", "plan", "parameters", "FLOPs"),
            [
                (levels, str(plan), *_cost(outcome, plan))
                for plan, levels in _levels_by_plan(recommendation)
            ],
        )
    if recommendation.groups is None:
        console.print(f"{len(affinity.tasks)} tasks have too many plans and groups to compare")
    else:
        console.print(f"train together: {_groups(recommendation.groups)}")
    if recommendation.leave_out:
        console.print(
            f"consider leaving out: {', '.join(recommendation.leave_out)} (its steps increase the "
            "other losses, and their steps increase its loss)"
        )
    if unknown := [pair for pair in affinity.pairs if affinity.steps[pair] == 0]:
        names = ", ".join(f"{affinity.tasks[i]}+{affinity.tasks[j]}" for i, j in unknown)
        console.warning(f"no batch has labels of both tasks, so gradients are unknown: {names}")


def _levels_by_plan(recommendation: Recommendation) -> list[tuple[SharingPlan, str]]:
    """Return each plan once with its levels of sharing, such as ``more, medium``."""
    levels_by_plan: dict[SharingPlan, list[str]] = {}
    for level, plan in recommendation.plans:
        levels_by_plan.setdefault(plan, []).append(level)
    return [(plan, ", ".join(levels)) for plan, levels in levels_by_plan.items()]


def _cost(outcome: AffinityOutcome, plan: SharingPlan) -> tuple[str, str]:
    """Return parameters and FLOPs, also as a part of those of ``independent``."""
    cost, independent = outcome.costs[plan], outcome.independent
    return (
        f"{cost.parameters / 1e6:.2f} M ({cost.parameters / independent.parameters:.0%} of "
        "independent)",
        f"{cost.flops / 1e9:.3f} G ({cost.flops / independent.flops:.0%})",
    )


def _groups(groups: Sequence[Sequence[str]]) -> str:
    return " | ".join("+".join(group) for group in groups)
