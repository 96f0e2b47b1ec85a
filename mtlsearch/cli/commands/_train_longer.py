"""``mtlsearch train-longer``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._console import Console
from mtlsearch.cli._context import pick_device, reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import Device, RunDataRoot, RunFolder
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._trial import parse_trial

if TYPE_CHECKING:
    from mtlsearch.runs import LongTraining


def train_longer(
    ctx: typer.Context,
    run: RunFolder,
    trial: Annotated[str, typer.Option(metavar="best|N", help="Trial whose candidate to train.")],
    epochs: Annotated[int, typer.Option(metavar="N", min=1, help="Number of epochs.")],
    seed: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Seed. Default: the seed of the run.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the result. Default: trialN-epochsE-seedS."),
    ] = None,
    data_root: RunDataRoot = None,
    device: Device = "auto",
) -> None:
    """Train the candidate of one trial for more epochs, for export.

    Prints its metrics on the validation images after the last epoch, and Δm if the independent
    baseline was trained for as many epochs from the same seed. A network that exists already
    is not trained again.
    """
    number = parse_trial(trial)
    options = GlobalOptions.of(ctx)
    resolved = reopen_run(run, options, data_root)

    from mtlsearch.results import reference_trial
    from mtlsearch.runs import find_long_training, open_session, select_trial
    from mtlsearch.runs import train_longer as train
    from mtlsearch.study import RunDirectory, read_records, read_stored

    folder, console = RunDirectory(run), options.console
    records = read_records(run, resolved.config)
    record = select_trial(run, resolved.config, records, number, console.info)
    seed = resolved.config.seed if seed is None else seed
    training = find_long_training(folder, record, epochs=epochs, seed=seed, name=name)
    if training is not None:
        console.info(f"trained before as {training.name}: {record.plan}")
    else:
        console.info(f"training trial {record.number}: {record.plan}")
        with folder.locked(), ProgressView(console) as progress:
            session = open_session(
                resolved,
                folder,
                device=pick_device(device),
                progress=progress,
                trained_on=read_stored(folder, resolved.config)[1],
            )
            training = train(
                session, folder, record, epochs=epochs, seed=seed, progress=progress, name=name
            )
    _show(training, console)
    independent = reference_trial(records)
    if not training.has_reference and independent is not None:
        console.info(
            "Δm requires the independent baseline, trained with: "
            f"mtlsearch train-longer {run} --trial {independent.number} --epochs {epochs} "
            f"--seed {seed}"
        )
    console.info(f"next: mtlsearch export {run} --retrained {training.name} --out BUNDLE")


def _show(training: LongTraining, console: Console) -> None:
    """Print metrics and Δm; for ``independent``, the Δm of all comparable networks."""
    for task, result in training.record.results.items():
        for metric, value in result.metrics.items():
            console.print(f"{task}.{metric}  {value:.4g}")
    kept = training.record.kept
    for task, drop in ({} if kept is None else kept.drops).items():
        console.print(f"{task} drops  {drop:.3g} %")
    if training.record.note:
        console.info(f"note: {training.record.note}")
    deltas = dict(training.deltas)
    if training.name in deltas:
        console.print(f"Δm  {deltas.pop(training.name):+.2f} %")
    elif training.has_reference:
        console.info(f"no Δm: {training.reason}")
    if training.record.baseline == "independent":
        for name, value in deltas.items():
            console.print(f"Δm of {name}  {value:+.2f} %")
