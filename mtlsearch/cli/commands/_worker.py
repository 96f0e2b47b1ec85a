"""``mtlsearch worker``."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._context import open_run, pick_device
from mtlsearch.cli._errors import INTERRUPTED, exit_code
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import TrainingOptions, takes_training_options
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._progress_events import ERROR, OUTCOME, ProgressEvents
from mtlsearch.errors import ConfigError, MtlsearchError
from mtlsearch.files import default_run_folder

if TYPE_CHECKING:
    from mtlsearch.config import Override
    from mtlsearch.registry import ResolvedRun


@takes_training_options
def worker(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN.yaml]", help="Run file. With --storage and --study, that of the study."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Run directory, the same for all workers that share a disk. Default: "
            "results/NAME, with the name of the run file or of the study.",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage", metavar="URL", help="Database. Short for --set search.storage=URL."
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            "--study",
            metavar="NAME",
            help="Study in the database, for workers that share no run directory.",
        ),
    ] = None,
    *,
    training: TrainingOptions,
    report: Annotated[bool, typer.Option("--report", hidden=True)] = False,
) -> None:
    """Take part in a search as one of several workers.

    Start it as often as there are GPUs, on one machine or several. Each trial is trained by one
    worker. If a worker dies, another one continues its trial. The first worker starts the search.
    """
    options = GlobalOptions.of(ctx)
    values, device = training.values, training.device
    # Schedulers end a worker by SIGTERM; shells ignore SIGINT for background jobs.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if report and file is not None:
        _run_for_parent(file, options, values, out or default_run_folder(file), device)
        return
    if storage is not None:
        values.append(_storage_override(storage))
    with _run_file(file, storage, study) as path:
        resolved = open_run(path, options, values)
        folder = out or (default_run_folder(file) if file else Path("results") / (study or ""))
    if study is not None and resolved.config.search.storage is None:
        raise ConfigError(
            "`--study` names a study in a database, but the run file has no `search.storage`",
            where=f"--study {study}",
            next_step="set --storage to the URL of the database",
        )
    with ProgressView(options.console) as progress:
        num_finished, reason = _run(resolved, folder, device, progress, study)
    if reason:
        options.console.info(f"{num_finished} of {resolved.config.search.trials} trials: {reason}")
    options.console.print(str(folder))


def _storage_override(url: str) -> Override:
    from mtlsearch.config import Override

    return Override(("search", "storage"), url, "--storage")


@contextmanager
def _run_file(file: Path | None, storage: str | None, study: str | None) -> Iterator[Path]:
    """Yield the run file, or a copy of the one that the study contains.

    Raises:
        ConfigError: neither is given.
        RunError: the database cannot be opened or has no such study.
    """
    if file is not None:
        yield file
        return
    if storage is None or study is None:
        raise ConfigError(
            "a worker needs a run file, or both --storage and --study",
            where="mtlsearch worker",
            next_step="pass RUN.yaml, or --storage URL --study NAME",
        )
    from mtlsearch.config import STORAGE_PASSWORD, fill_password
    from mtlsearch.study import stored_run_file

    url = fill_password(storage, os.environ.get(STORAGE_PASSWORD, ""))
    with tempfile.TemporaryDirectory(prefix="mtlsearch-") as folder:
        path = Path(folder) / "run.yaml"
        path.write_text(stored_run_file(url, study), encoding="utf-8")
        yield path


def _run(
    resolved: ResolvedRun,
    folder: Path,
    device: str,
    progress: ProgressView | ProgressEvents,
    study: str | None = None,
) -> tuple[int, str]:
    from mtlsearch.runs import run_search

    outcome = run_search(
        resolved,
        folder,
        device=pick_device(device),
        progress=progress,
        is_worker=True,
        study=study,
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
