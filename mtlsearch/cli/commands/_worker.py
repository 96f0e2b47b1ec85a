"""``mtlsearch worker``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._context import open_run, pick_device
from mtlsearch.cli._errors import INTERRUPTED, exit_code
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import (
    BatchSize,
    DataRoot,
    Device,
    Epochs,
    Overrides,
    RunFile,
    Seed,
    Trials,
    merge_overrides,
)
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._progress_events import ERROR, OUTCOME, ProgressEvents
from mtlsearch.errors import MtlsearchError
from mtlsearch.files import run_name

if TYPE_CHECKING:
    from mtlsearch.config import Override
    from mtlsearch.registry import ResolvedRun


def worker(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Run directory, the same for all workers. Default: results/NAME, as for search.",
        ),
    ] = None,
    trials: Trials = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    data_root: DataRoot = None,
    overrides: Overrides = None,
    device: Device = "auto",
    report: Annotated[bool, typer.Option("--report", hidden=True)] = False,
) -> None:
    """Take part in a search as one of several workers.

    Start it as often as there are GPUs, on one machine or several. Each trial is trained by one
    worker. If a worker dies, another one continues its trial. The first worker starts the search.
    """
    options = GlobalOptions.of(ctx)
    values = merge_overrides(
        overrides,
        trials=trials,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        data_root=data_root,
    )
    # Schedulers end a worker by SIGTERM; shells ignore SIGINT for background jobs.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    folder = out or Path("results") / run_name(file)
    if report:
        _run_for_parent(file, options, values, folder, device)
        return
    resolved = open_run(file, options, values)
    with ProgressView(options.console) as progress:
        num_finished, reason = _run(resolved, folder, device, progress)
    if reason:
        options.console.info(f"{num_finished} of {resolved.config.search.trials} trials: {reason}")
    options.console.print(str(folder))


def _run(
    resolved: ResolvedRun, folder: Path, device: str, progress: ProgressView | ProgressEvents
) -> tuple[int, str]:
    from mtlsearch.runs import run_search

    outcome = run_search(
        resolved, folder, device=pick_device(device), progress=progress, is_worker=True
    )
    return outcome.num_finished, outcome.reason


def _run_for_parent(
    file: Path, options: GlobalOptions, values: list[str | Override], folder: Path, device: str
) -> None:
    """Run as a worker of another process, which shows the events and prints the errors."""
    events = ProgressEvents(sys.stdout)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        resolved = open_run(file, options, values)
        num_finished, reason = _run(resolved, folder, device, events)
    except MtlsearchError as error:
        events.write(ERROR, str(error), exit_code(error))
        raise typer.Exit(exit_code(error)) from error
    except KeyboardInterrupt as stop:
        raise typer.Exit(INTERRUPTED) from stop
    events.write(OUTCOME, {"num_finished": num_finished, "reason": reason})


def _end_with_parent() -> None:
    """Interrupt this process when the other one, which holds its standard input, is gone."""
    while os.read(0, 1):  # without sys.stdin, whose lock would block the end of this process
        pass
    os.kill(os.getpid(), signal.SIGINT)
