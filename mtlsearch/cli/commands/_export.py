"""``mtlsearch export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._latency_table import short_latency_lines
from mtlsearch.cli._options import RunDataRoot
from mtlsearch.cli._trial import open_network, require_one_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.plugin import Task

BENCHMARK_SECONDS = 4.0
"""Limit of the measurement of latency at the end."""


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
    decode: Annotated[
        bool,
        typer.Option(
            "--decode",
            help="Let model.onnx return final predictions: thresholds, NMS, pixels of the image.",
        ),
    ] = False,
    web: Annotated[
        bool,
        typer.Option(
            "--web", help="Add a page that runs the network in a browser. Includes --decode."
        ),
    ] = False,
    web_runtime: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|TGZ",
            help="npm package onnxruntime-web for --web. Default: downloaded with npm.",
        ),
    ] = None,
    data_root: RunDataRoot = None,
    benchmark: Annotated[
        bool,
        typer.Option(
            "--benchmark/--no-benchmark", help="Measure the latency for a few seconds at the end."
        ),
    ] = True,
) -> None:
    """Export the network of a trial as a bundle.

    The bundle contains ONNX, a torch.export program, safetensors weights and a JSON manifest.
    The output of each format is compared with that of the trained network.
    """
    number = require_one_network(trial, retrained)
    options = GlobalOptions.of(ctx)
    session, record, network = open_network(
        run, options, data_root, number, retrained=retrained, verb="exporting"
    )

    from mtlsearch.bundle import open_bundle
    from mtlsearch.export import export_network

    console = options.console
    export_network(
        session,
        record,
        network,
        out,
        precision=precision,
        max_drop=max_drop,
        decode=decode,
        web=web or web_runtime is not None,
        web_runtime=web_runtime,
        progress=console.info,
    )
    console.debug(open_bundle(out).describe())
    if benchmark:
        for line in _latency_lines(out, network, session.evaluator.network_tasks, console.info):
            console.info(line)
    console.print(str(out))
    if web or web_runtime is not None:
        command = f"python -m http.server --bind 127.0.0.1 -d {out}"
        console.info(f"page: {command}, then http://localhost:8000/web/")
    console.info(f"next: mtlsearch predict {out} IMAGE... --out DIR")


def _latency_lines(
    bundle: Path,
    network: MultiTaskNetwork,
    tasks: Mapping[str, Task],
    progress: Callable[[str], None],
) -> list[str]:
    """Return the latency of all tasks together and of one network per task, as text."""
    from mtlsearch.bundle import GRAPH_WEIGHTS
    from mtlsearch.export import Effort, measure_latency

    if (bundle / GRAPH_WEIGHTS).exists():
        return ["the latency of a graph of more than 2 GiB is not measured"]
    effort = Effort(seconds=BENCHMARK_SECONDS)
    results = measure_latency(
        bundle, effort=effort, network=network, tasks=tasks, progress=progress
    )
    return short_latency_lines(results)
