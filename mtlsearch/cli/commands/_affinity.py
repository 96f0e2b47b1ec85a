"""``mtlsearch affinity``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._console import Console
from mtlsearch.cli._context import open_run, pick_device, run_name
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._options import Device, Overrides, RunFile
from mtlsearch.cli._progress import ProgressView

if TYPE_CHECKING:
    from mtlsearch.affinity import Affinity, Recommendation
    from mtlsearch.plan import SharingPlan
    from mtlsearch.runs import AffinityOutcome


def affinity(
    ctx: typer.Context,
    file: RunFile,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Of both trainings; default: a quarter of the run's."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to; default: results/NAME/affinity."),
    ] = None,
    overrides: Overrides = None,
    device: Device = "auto",
) -> None:
    """Estimate from two short trainings which tasks get on, and in which units.

    Trains the hard and the independent network. Compares tasks by their gradients, by what a
    step for one does to another's loss, and by single-task representations. Suggests plans
    and groups to try: estimates, which a search has yet to measure.
    """
    shell = Shell.of(ctx)
    resolved = open_run(file, shell, overrides or ())

    from mtlsearch.report import draw_affinity
    from mtlsearch.runs import run_affinity

    folder = out or Path("results") / run_name(file) / "affinity"
    with ProgressView(shell.console) as progress:
        outcome = run_affinity(
            resolved,
            folder,
            epochs=epochs,
            device=pick_device(device),
            progress=progress,
        )
    draw_affinity(outcome.affinity, folder / "affinity.png")
    _show_matrices(outcome.affinity, shell.console)
    _show_suggestions(outcome, shell.console)
    shell.console.say(f"written: {folder} (affinity.json, affinity.csv, affinity.png)")
    shell.console.say(f"next: mtlsearch search {file} --set search.warm_start={folder}")


def _show_matrices(found: Affinity, console: Console) -> None:
    pairs = [f"{found.tasks[i]}+{found.tasks[j]}" for i, j in found.pairs]
    for title, matrices in (
        ("gradients agree: cosine, -1 to 1", found.gradients),
        ("single-task representations alike: linear CKA, 0 to 1", found.representations),
    ):
        console.result(f"\n{title}")
        rows = [
            (str(unit), name, *(_number(matrices[unit, i, j], "+.2f") for i, j in found.pairs))
            for unit, name in enumerate(found.units)
        ]
        console.table(("unit", "modules", *pairs), rows)
    console.result("\na step for one task: by how many percent the loss of another falls")
    rows = [
        (task, *(_gain(found, i, j) for j in range(len(found.tasks))))
        for i, task in enumerate(found.tasks)
    ]
    console.table(("step for", *(f"loss of {task}" for task in found.tasks)), rows)
    console.detail(_basis(found))


def _gain(found: Affinity, i: int, j: int) -> str:
    value, error = 100 * found.lookahead[i, j], 100 * found.lookahead_error[i, j]
    spread = f" ± {error:.3f}" if error == error else ""
    return _number(value, "+.3f") + spread


def _basis(found: Affinity) -> str:
    both = [(int(found.steps[i, j]), i, j) for i, j in found.pairs]
    fewest, i, j = min(both)
    return (
        f"{_epochs(found)}; representations of {found.images} images; gradients of "
        f"{max(both)[0]} steps at most, of {fewest} with labels of both "
        f"{found.tasks[i]} and {found.tasks[j]}"
    )


def _epochs(found: Affinity) -> str:
    return "1 epoch" if found.epochs == 1 else f"{found.epochs} epochs"


def _number(value: float, form: str) -> str:
    return "?" if value != value else f"{value:{form}}"


def _show_suggestions(outcome: AffinityOutcome, console: Console) -> None:
    found, suggested = outcome.affinity, outcome.recommendation
    console.result(f"\nestimates from {_epochs(found)}; a search measures")
    if suggested.plans:
        console.table(
            ("shares", "plan", "parameters", "FLOPs"),
            [(shares, str(plan), *_cost(outcome, plan)) for plan, shares in _merged(suggested)],
        )
    if suggested.groups is None:
        console.result(f"plans and groups of {len(found.tasks)} tasks are too many to compare")
    else:
        console.result(f"train together: {_groups(suggested.groups)}")
    if suggested.leave_out:
        console.result(
            f"leave out, perhaps: {', '.join(suggested.leave_out)} (steps for it raise the other "
            "losses, and theirs its own)"
        )
    if unknown := [pair for pair in found.pairs if found.steps[pair] == 0]:
        names = ", ".join(f"{found.tasks[i]}+{found.tasks[j]}" for i, j in unknown)
        console.warn(f"no batch looked at had labels of both: {names}; no gradients to compare")


def _merged(suggested: Recommendation) -> list[tuple[SharingPlan, str]]:
    """Each plan once, with how much it shares: ``more, medium``."""
    found: dict[SharingPlan, list[str]] = {}
    for shares, plan in suggested.plans:
        found.setdefault(plan, []).append(shares)
    return [(plan, ", ".join(shares)) for plan, shares in found.items()]


def _cost(outcome: AffinityOutcome, plan: SharingPlan) -> tuple[str, str]:
    """Parameters and FLOPs against those of nothing shared."""
    own, alone = outcome.costs[plan], outcome.independent
    return (
        f"{own.parameters / 1e6:.2f} M ({own.parameters / alone.parameters:.0%} of independent)",
        f"{own.flops / 1e9:.3f} G ({own.flops / alone.flops:.0%})",
    )


def _groups(groups: Sequence[Sequence[str]]) -> str:
    return " | ".join("+".join(group) for group in groups)
