"""``mtlsearch train``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._context import pick_device, reopen_run
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._options import Device, RunFolder
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._trial import choose_trial, wanted_trial

if TYPE_CHECKING:
    from mtlsearch.runs import LongTraining


def train(
    ctx: typer.Context,
    run: RunFolder,
    trial: Annotated[
        str, typer.Option(metavar="best|N", help="Whose candidate: the best's, or by number.")
    ],
    epochs: Annotated[int, typer.Option(min=1, metavar="E", help="Passes over the images.")],
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of weights and order; default: the run's.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="What to keep it by; default: trialN-epochsE-seedS."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Train one trial's candidate at length, for export.

    Its metrics are those of the validation images after the last epoch.
    Δm is told where the independent baseline was trained alike, before or after.
    What was trained so before is told again, not trained.
    """
    wanted = wanted_trial(trial)
    shell = Shell.of(ctx)
    resolved = reopen_run(run, shell)

    from mtlsearch.results import reference_trial
    from mtlsearch.runs import find_long_training, open_session, train_longer
    from mtlsearch.study import RunDirectory, read_records

    folder = RunDirectory(run)
    records = read_records(run, resolved.config)
    record = choose_trial(run, resolved.config, records, wanted, shell)
    seed = resolved.config.seed if seed is None else seed
    found = find_long_training(folder, record, epochs=epochs, seed=seed, name=name)
    if found is not None:
        shell.console.say(f"trained before as {found.name}: {record.plan}")
    else:
        shell.console.say(f"training trial {record.number}: {record.plan}")
        with folder.locked(), ProgressView(shell.console) as progress:
            session = open_session(resolved, folder, device=pick_device(device), progress=progress)
            found = train_longer(
                session, folder, record, epochs=epochs, seed=seed, progress=progress, name=name
            )
    _tell(found, shell)
    independent = reference_trial(records)
    if not found.compared and independent is not None:
        shell.console.say(
            "no Δm without the independent baseline trained alike: "
            f"mtlsearch train {run} --trial {independent.number} --epochs {epochs} --seed {seed}"
        )
    shell.console.say(f"next: mtlsearch export {run} --trained {found.name} --out BUNDLE")


def _tell(found: LongTraining, shell: Shell) -> None:
    """Its metrics and its Δm; after ``independent`` also that of all that were trained alike."""
    for task, result in found.record.results.items():
        for metric, value in result.metrics.items():
            shell.console.result(f"{task}.{metric}  {value:.4g}")
    deltas = dict(found.deltas)
    if found.name in deltas:
        shell.console.result(f"Δm  {deltas.pop(found.name):+.2f} %")
    elif found.compared:
        shell.console.say(f"no Δm: {found.reason}")
    if found.record.baseline == "independent":
        for name, value in deltas.items():
            shell.console.result(f"Δm of {name}  {value:+.2f} %")
