"""``mtlsearch benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._latency_table import LATENCY_NOTE, latency_table
from mtlsearch.cli._options import RunDataRoot
from mtlsearch.cli._trial import open_network, parse_trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtlsearch.export import Effort, Latency


def benchmark(
    ctx: typer.Context,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE|RUN",
            help="Bundle written by `mtlsearch export`, or a run directory to measure torch too.",
        ),
    ],
    trial: Annotated[
        str | None,
        typer.Option(metavar="best|N", help="Trial of a run. Default: best, the recommended one."),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option("--batch", metavar="N", min=1, help="Images per batch. Repeatable: 1 and 8."),
    ] = None,
    repeats: Annotated[
        int, typer.Option(metavar="N", min=1, help="Measured batches per network.")
    ] = 20,
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, help="Threads; 0: the default of each runtime.")
    ] = 0,
    data_root: RunDataRoot = None,
) -> None:
    """Measure the latency of a bundle, or of a trial, on the CPU.

    Compares all tasks in one network with one network per task, one after the other: a bundle in
    ONNX Runtime, a trial in torch too.
    """
    options = GlobalOptions.of(ctx)

    from mtlsearch.bundle import is_bundle
    from mtlsearch.errors import ConfigError
    from mtlsearch.export import Effort, measure_latency

    effort = Effort(repeats, threads)
    sizes = batch or (1, 8)
    if (target / "run.yaml").is_file() and not is_bundle(target):
        results = _measure_trial(
            target, options, data_root, parse_trial(trial or "best"), sizes, effort
        )
    elif trial is not None or data_root is not None:
        option = "--data-root" if trial is None else "--trial"
        raise ConfigError(
            f"`{option}` is for a trial of a run, but this is not a run directory",
            where=str(target),
            next_step=f"remove `{option}`, or name the run directory",
        )
    else:
        progress = options.console.info
        results = measure_latency(target, sizes, effort=effort, progress=progress)
    options.console.table(*latency_table(results))
    options.console.print(LATENCY_NOTE)


def _measure_trial(
    run: Path,
    options: GlobalOptions,
    data_root: Path | None,
    number: Literal["best"] | int,
    batch_sizes: Sequence[int],
    effort: Effort,
) -> list[Latency]:
    """Measure the network of a trial in torch and in ONNX Runtime."""
    session, _, network = open_network(run, options, data_root, number, verb="measuring")

    from mtlsearch.export import measure_network

    preprocessing = session.data.preprocessing
    return measure_network(
        network,
        session.evaluator.network_tasks,
        (len(preprocessing.mean), *preprocessing.size),
        batch_sizes,
        effort=effort,
        progress=options.console.info,
    )
