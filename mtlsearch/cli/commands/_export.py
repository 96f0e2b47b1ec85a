"""``mtlsearch export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._context import reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._trial import require_one_network


def export(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="BUNDLE", help="Folder to write; replaces an earlier bundle."
        ),
    ],
    trial: Annotated[
        str | None,
        typer.Option(
            "--trial", metavar="best|N", help="Trial to export. Default: best, the recommended one."
        ),
    ] = None,
    retrained: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Export a network of `mtlsearch train-longer`."),
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(metavar="fp32|fp16|int8", help="Precision of model.onnx."),
    ] = "fp32",
    max_drop: Annotated[
        float,
        typer.Option(
            metavar="PERCENT",
            min=0,
            help="Largest drop of a primary metric by fp16 or int8; a larger one is refused.",
        ),
    ] = 2.0,
) -> None:
    """Export the network of a trial as a bundle.

    The bundle contains ONNX, a torch.export program, safetensors weights and a JSON manifest.
    The output of each format is compared with that of the trained network.
    """
    number = require_one_network(trial, retrained)
    options = GlobalOptions.of(ctx)
    resolved = reopen_run(run, options)

    import torch

    from mtlsearch.bundle import open_bundle
    from mtlsearch.export import export_trial
    from mtlsearch.runs import open_session, select_network
    from mtlsearch.search import NullProgress

    console = options.console
    record, folder = select_network(run, resolved.config, number, retrained, console.info)
    console.info(f"exporting {retrained or f'trial {record.number}'}: {record.plan}")
    session = open_session(
        resolved,
        folder,
        device=torch.device("cpu"),
        progress=NullProgress(),
        check=False,
        should_load_weights=False,
    )
    export_trial(
        session, record, out, precision=precision, max_drop=max_drop, progress=console.info
    )
    console.debug(open_bundle(out).describe())
    console.print(str(out))
    console.info(f"next: mtlsearch predict {out} IMAGE... --out DIR")
