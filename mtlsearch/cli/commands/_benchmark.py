"""``mtlsearch benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtlsearch.cli._global_options import GlobalOptions


def benchmark(
    ctx: typer.Context,
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Bundle written by `mtlsearch export`.")
    ],
    batch: Annotated[
        list[int] | None,
        typer.Option("--batch", metavar="N", min=1, help="Images per batch. Repeatable: 1 and 8."),
    ] = None,
    repeats: Annotated[
        int, typer.Option(metavar="N", min=1, help="Measured batches per network.")
    ] = 20,
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, help="Threads; 0: the default of ONNX Runtime.")
    ] = 0,
) -> None:
    """Measure the latency of a bundle in ONNX Runtime on the CPU.

    Compares all tasks in one network with one network per task, one after the other.
    """
    console = GlobalOptions.of(ctx).console

    from mtlsearch.export import measure_latency

    results = measure_latency(
        bundle, batch or (1, 8), repeats=repeats, threads=threads, progress=console.info
    )
    alone = [f"{task} alone" for task in results[0].by_task]
    console.table(
        ["batch", "all tasks", *alone, "sum", "ratio", "images/s"],
        [
            [
                str(result.batch_size),
                f"{result.combined:.1f} ms",
                *(f"{value:.1f} ms" for value in result.by_task.values()),
                f"{result.separate:.1f} ms",
                f"{result.combined / result.separate:.2f}",
                f"{1000 * result.batch_size / result.combined:.1f}",
            ]
            for result in results
        ],
    )
