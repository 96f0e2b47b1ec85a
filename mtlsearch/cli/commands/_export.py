"""``mtlsearch export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._context import reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._trial import parse_trial, select_trial


def export(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="BUNDLE", help="Folder to write; it is replaced.")
    ],
    trial: Annotated[
        str | None,
        typer.Option("--trial", metavar="best|N", help="Trial to export. Default: best."),
    ] = None,
    retrained: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Export a network of `mtlsearch train-longer`."),
    ] = None,
) -> None:
    """Export the network of a trial as a bundle.

    The bundle contains ONNX, a torch.export program, safetensors weights and a JSON manifest.
    The output of each format is compared with that of the trained network.
    """
    number = _trial_option(trial, retrained)
    options = GlobalOptions.of(ctx)
    resolved = reopen_run(run, options)

    import torch

    from mtlsearch.bundle import open_bundle
    from mtlsearch.export import export_trial
    from mtlsearch.runs import load_long_training, open_session
    from mtlsearch.search import NullProgress
    from mtlsearch.study import RunDirectory, read_records

    records = read_records(run, resolved.config)
    folder = RunDirectory(run)
    if retrained is None:
        record = select_trial(run, resolved.config, records, number, options)
        options.console.info(f"exporting trial {record.number}: {record.plan}")
    else:
        record, folder = load_long_training(folder, retrained), folder.long_training(retrained)
        options.console.info(f"exporting {retrained}: {record.plan}")
    session = open_session(
        resolved, folder, device=torch.device("cpu"), progress=NullProgress(), check=False
    )
    export_trial(session, record, out, progress=options.console.info)
    options.console.debug(open_bundle(out).describe())
    options.console.print(str(out))
    options.console.info(f"next: mtlsearch predict {out} IMAGE... --out DIR")


def _trial_option(trial: str | None, retrained: str | None) -> Literal["best"] | int:
    """Return the trial to export; without either option, the best.

    Raises:
        ConfigError: both options are given, or the value is neither ``best`` nor a number.
    """
    if trial is not None and retrained is not None:
        from mtlsearch.errors import ConfigError

        raise ConfigError(
            "`--trial` and `--retrained` select two networks, but a bundle contains one",
            where=f"--trial {trial} --retrained {retrained}",
            next_step="use only one of the two options",
        )
    return parse_trial("best" if trial is None else trial)
