"""``mtlsearch search``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mtlsearch.cli._context import open_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import RunFile, TrainingOptions, takes_training_options
from mtlsearch.cli._processes import join_processes
from mtlsearch.cli._progress import ProgressView
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.files import default_run_folder

if TYPE_CHECKING:
    from mtlsearch.cli._worker_processes import WorkerFailedError
    from mtlsearch.registry import ResolvedRun


@takes_training_options
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
    *,
    training: TrainingOptions,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="Number of processes that train trials at the same time, one per GPU, or with "
            "the cores divided between them. Default: 1; on a cluster, one per GPU.",
        ),
    ] = None,
    executor: Annotated[
        Literal["local", "ray"],
        typer.Option("--executor", help="Where the workers run: on this machine, or on a cluster."),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="Head node of the Ray cluster. Default: the cluster that this machine is in.",
        ),
    ] = None,
) -> None:
    """Search for the best sharing plan, or resume a search.

    Trains both baselines first. After an interruption, even by kill -9, the same command
    resumes the search. The running trial continues from its last checkpoint.
    """
    options = GlobalOptions.of(ctx)
    options.console.info(f"opening {file} ...")  # plugins and torch take seconds to load
    resolved = open_run(file, options, training.values)  # reports errors before torch is imported

    if address is not None and executor == "local":
        raise ConfigError(
            "`--address` is the address of a cluster",
            where=f"--address {address}",
            next_step="add `--executor ray`, or remove `--address`",
        )

    folder = out or default_run_folder(file)

    def worker_arguments(device: str, place: Callable[[Path], Path] = Path) -> list[str]:
        plugins = tuple(place(path) for path in options.plugins)
        root = None if training.data_root is None else place(training.data_root)
        placed = replace(training, data_root=root, device=device)
        return _worker_arguments(
            place(file), place(folder), replace(options, plugins=plugins), placed
        )

    device = training.device
    outcome: tuple[int, str] | None
    try:
        if executor == "ray":
            make_arguments = partial(worker_arguments, place=Path.absolute)
            outcome = _run_on_ray(
                resolved, workers, file, folder, device, address or "auto", options, make_arguments
            )
        elif workers in (None, 1):
            outcome = _run_here(resolved, folder, device, options)
        else:
            outcome = _run_workers(workers, folder, device, options, worker_arguments(device))
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(_interruption(folder))) from stop
    if outcome is None:  # a rank of torchrun
        return
    num_finished, reason = outcome
    if reason:
        options.console.info(f"{num_finished} of {resolved.config.search.trials} trials: {reason}")

    from mtlsearch.runs import read_verdict

    verdict = read_verdict(folder, resolved.config)
    for sentence in () if verdict is None else verdict.sentences:
        options.console.info(sentence)
    options.console.print(str(folder))
    options.console.info(f"next: mtlsearch leaderboard {folder}")


def _run_here(
    resolved: ResolvedRun, folder: Path, device: str, options: GlobalOptions
) -> tuple[int, str] | None:
    """Search in this process; return the number of finished trials and why the search ended."""
    from mtlsearch.runs import run_search, run_search_worker

    with join_processes(device) as (group, torch_device):
        if group.rank > 0:
            run_search_worker(resolved, folder, device=torch_device, process_group=group)
            return None
        with ProgressView(options.console) as progress:
            outcome = run_search(
                resolved, folder, device=torch_device, progress=progress, process_group=group
            )
    return outcome.num_finished, outcome.reason


def _run_workers(
    count: int, folder: Path, device: str, options: GlobalOptions, arguments: Sequence[str]
) -> tuple[int, str]:
    """Search in several processes, which this one starts and shows."""
    from mtlsearch.cli._worker_processes import WorkerFailedError, place_workers, run_workers
    from mtlsearch.study import RunDirectory, check_run_directory

    _refuse_torchrun(f"--workers {count}")
    placements = place_workers(count, device, _num_gpus(device), os.environ)
    run = RunDirectory(folder)
    check_run_directory(run)
    options.console.info(f"{count} workers, {placements[0].text}")
    try:
        with run.locked(), ProgressView(options.console) as view:
            outcome = run_workers(arguments, placements, view)
    except WorkerFailedError as error:
        raise _as_exit(error, options) from error
    return outcome["num_finished"], outcome["reason"]


def _run_on_ray(
    resolved: ResolvedRun,
    count: int | None,
    file: Path,
    folder: Path,
    device: str,
    address: str,
    options: GlobalOptions,
    make_arguments: Callable[[str], list[str]],
) -> tuple[int, str]:
    """Search in processes on the nodes of a Ray cluster, which this one starts and shows."""
    from mtlsearch.cli._ray import search_on_ray
    from mtlsearch.cli._worker_processes import WorkerFailedError
    from mtlsearch.study import RunDirectory, check_run_directory

    _refuse_torchrun("--executor ray")
    run = RunDirectory(folder)
    check_run_directory(run)
    try:
        outcome = search_on_ray(
            make_arguments,
            count,
            file,
            run,
            address=address,
            device=device,
            has_journal=resolved.config.search.storage is None,
            console=options.console,
        )
    except WorkerFailedError as error:
        raise _as_exit(error, options) from error
    return outcome["num_finished"], outcome["reason"]


def _refuse_torchrun(option: str) -> None:
    if "WORLD_SIZE" in os.environ:
        raise ConfigError(
            f"`{option.partition(' ')[0]}` trains candidates side by side, and torchrun trains "
            "one candidate in several processes: they exclude each other",
            where=option,
            next_step=f"start without torchrun, or without {option.partition(' ')[0]}",
        )


def _as_exit(error: WorkerFailedError, options: GlobalOptions) -> typer.Exit:
    """Print the error of a worker and return the end of this process."""
    if str(error):
        options.console.error(str(error))
    return typer.Exit(error.code)


def _num_gpus(device: str) -> int:
    if device not in ("auto", "cuda"):
        return 0
    import torch

    return torch.cuda.device_count()


def _worker_arguments(
    file: Path, folder: Path, options: GlobalOptions, training: TrainingOptions
) -> list[str]:
    """Return the arguments of a worker with the same options."""
    arguments = ["worker", str(file), "--out", str(folder), "--report"]
    for folder_of_plugins in options.plugins:
        arguments += ["--plugins", str(folder_of_plugins)]
    for name, is_set in (("--verbose", options.verbose), ("--debug", options.debug)):
        arguments += [name] if is_set else []
    return [*arguments, *training.arguments()]


def _interruption(folder: Path) -> RunError:
    return RunError(
        "finished trials are kept, the running trial continues from its last checkpoint if it has "
        "one",
        where=str(folder),
        next_step="run the same command to resume, "
        f"or `mtlsearch leaderboard {folder}` to see the finished trials",
    )
