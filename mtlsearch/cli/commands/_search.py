"""``mtlsearch search``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtlsearch.cli._context import open_run
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
from mtlsearch.cli._processes import join_processes
from mtlsearch.cli._progress import ProgressView
from mtlsearch.errors import RunError
from mtlsearch.files import run_name


def search(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Run directory. Default: results/NAME, with the name of the run file, or of "
            "its folder for run.yaml.",
        ),
    ] = None,
    trials: Trials = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    data_root: DataRoot = None,
    overrides: Overrides = None,
    device: Device = "auto",
) -> None:
    """Search for the best sharing plan, or resume a search.

    Trains both baselines first. After an interruption, even by kill -9, the same command
    resumes the search. Only the running trial starts again.
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
    resolved = open_run(file, options, values)  # reports errors before torch is imported

    from mtlsearch.runs import read_verdict, run_search, run_search_worker

    folder = out or Path("results") / run_name(file)
    try:
        with join_processes(device) as (group, torch_device):
            if group.rank > 0:
                run_search_worker(resolved, folder, device=torch_device, process_group=group)
                return
            with ProgressView(options.console) as progress:
                outcome = run_search(
                    resolved, folder, device=torch_device, progress=progress, process_group=group
                )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(_interruption(folder))) from stop
    if outcome.reason:
        options.console.info(
            f"{outcome.num_finished} of {resolved.config.search.trials} trials: {outcome.reason}"
        )
    verdict = read_verdict(folder, resolved.config)
    for sentence in () if verdict is None else verdict.sentences:
        options.console.info(sentence)
    options.console.print(str(folder))
    options.console.info(f"next: mtlsearch leaderboard {folder}")


def _interruption(folder: Path) -> RunError:
    return RunError(
        "finished trials are kept, the running trial starts again on resume",
        where=str(folder),
        next_step="run the same command to resume, "
        f"or `mtlsearch leaderboard {folder}` to see the finished trials",
    )
