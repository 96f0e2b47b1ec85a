"""``mtlsearch compress``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mtlsearch.cli._console import Console
from mtlsearch.cli._context import pick_device, reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import Device, RunDataRoot, RunFolder
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._trial import parse_trial

if TYPE_CHECKING:
    from mtlsearch.results import TrialRecord


def compress(
    ctx: typer.Context,
    run: RunFolder,
    flops: Annotated[
        str,
        typer.Option(
            metavar="FLOPS",
            help="Largest number of FLOPs: a share of the trial's, such as 0.5x, or 300M.",
        ),
    ],
    trial: Annotated[
        str, typer.Option(metavar="best|N", help="Trial whose network to compress.")
    ] = "best",
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Epochs of fine-tuning. Default: train.epochs."),
    ] = None,
    importance: Annotated[
        Literal["taylor", "weights"],
        typer.Option(
            metavar="KIND",
            help="Which channels go first: taylor (least change of the loss on training images) or "
            "weights (smallest weights).",
        ),
    ] = "taylor",
    teacher: Annotated[
        Literal["trial", "independent", "none"],
        typer.Option(
            metavar="NAME",
            help="Whose features fine-tuning distills: trial, independent (the single-task "
            "networks) or none.",
        ),
    ] = "trial",
    alpha: Annotated[
        float, typer.Option(metavar="X", min=0.0, help="Factor of the distillation loss.")
    ] = 1.0,
    learning_rate: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Peak learning rate. Default: that of the trial."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Seed of the images' order. Default: of the run."),
    ] = None,
    data_root: RunDataRoot = None,
    device: Device = "auto",
) -> None:
    """Prune the network of a trial and fine-tune it, as a trial of its own.

    Removes whole channels until the network needs at most the given FLOPs. The leaderboard shows
    the new trial below its parent. Repeat the command to resume after an interruption.
    """
    number = parse_trial(trial)
    options = GlobalOptions.of(ctx)
    resolved = reopen_run(run, options, data_root)

    from mtlsearch.runs import (
        CompressSettings,
        find_compressed,
        open_session,
        refuse_extension,
        select_trial,
    )
    from mtlsearch.runs import compress as compress_trial
    from mtlsearch.study import RunDirectory, read_stored, read_view

    refuse_extension(resolved.config, "compress")
    folder, console = RunDirectory(run), options.console
    view = read_view(run, resolved.config)
    parent = select_trial(run, resolved.config, view.networks, number, console.info)
    settings = CompressSettings(
        flops,
        epochs or resolved.config.train.epochs,
        importance,
        teacher,
        alpha,
        learning_rate,
        seed,
    )
    record = find_compressed(view, resolved.config, parent, settings)
    if record is not None and folder.weights(record.number).is_file():
        console.info(f"compressed before as trial {record.number}: {record.plan}")
    else:
        console.info(f"compressing trial {parent.number}: {parent.plan}")
        with folder.locked(), ProgressView(console) as progress:
            session = open_session(
                resolved,
                folder,
                device=pick_device(device),
                progress=progress,
                trained_on=read_stored(folder, resolved.config)[1],
            )
            record = compress_trial(session, folder, parent, settings, progress=progress)
    _show(record, parent, console)
    console.info(f"next: mtlsearch export {run} --trial {record.number} --out BUNDLE")


def _show(record: TrialRecord, parent: TrialRecord, console: Console) -> None:
    """Print the cost and each primary metric beside those of the parent."""
    from mtlsearch.results import TaskResult

    def shown(result: TaskResult, metric: str) -> str:
        error = result.errors.get(metric)
        return f"{result.metrics[metric]:.4g}" + ("" if error is None else f" ± {error:.2g}")

    console.print(f"trial {record.number}, compressed from trial {parent.number}")
    flops, parameters = record.flops, record.parameters
    console.print(f"FLOPs  {parent.flops / 1e9:.4g} G -> {flops / 1e9:.4g} G")
    console.print(f"parameters  {parent.parameters / 1e6:.4g} M -> {parameters / 1e6:.4g} M")
    for task, result in record.results.items():
        for metric in result.metrics:
            before = shown(parent.results[task], metric)
            console.print(f"{task}.{metric}  {before} -> {shown(result, metric)}")
