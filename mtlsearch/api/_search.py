"""``mtlsearch.search``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlsearch.api._load import load
from mtlsearch.api._overrides import overrides_of
from mtlsearch.api._run import Run
from mtlsearch.api._terms import in_python_terms
from mtlsearch.errors import ConfigError, is_interrupt

if TYPE_CHECKING:
    from mtlsearch.api._progress import Progress
    from mtlsearch.config import RunConfig


@in_python_terms
def search(
    run_file: str | os.PathLike[str] | Mapping[str, Any] | RunConfig,
    out: str | os.PathLike[str] | None = None,
    *,
    trials: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    data_root: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    plugins: Sequence[str | os.PathLike[str]] = (),
    device: str = "auto",
    progress: Progress = False,
) -> Run:
    """Search for the best sharing plan, or resume a search, as ``mtlsearch search`` does.

    After Ctrl-C, or after the end of the process, the same call resumes the search. The running
    trial continues from its last checkpoint.

    Args:
        run_file: path of a run file, its keys as a dictionary, or the ``config`` of a run. Relative
            paths start in the folder of the file; without a file, in the working directory.
        out: run directory. By default ``results/NAME``, with the name of the run file, or of its
            folder for ``run.yaml``.
        trials: number of trials, finished ones included; None for ``search.trials``.
        epochs: short for ``overrides={"train.epochs": ...}``.
        batch_size: short for ``overrides={"train.batch_size": ...}``.
        seed: short for ``overrides={"seed": ...}``.
        data_root: short for ``overrides={"data.root": ...}``.
        overrides: values that replace those of the run file, by key with dots.
        plugins: folders with further plugins.
        device: ``auto`` (a GPU if available), ``cpu``, ``cuda`` or ``cuda:1``.
        progress: True prints lines about each trial, a function gets these lines. False
            prints nothing; warnings about images and labels are Python warnings.

    Returns:
        The run, as of :func:`mtlsearch.load`.

    Raises:
        ConfigError: the run file is invalid or does not fit the data.
        PluginError: no plugin adds a name of the run file.
        DataError: images or labels have problems.
        BackboneError: a backbone cannot be created, loaded or cut.
        TrainingError: the device does not exist.
        RunError: the folder is in use, contains another search or is not a run directory.
        KeyboardInterrupt: Ctrl-C; the message contains how to resume.
    """
    from mtlsearch.registry import open_run

    folders = [Path(plugin) for plugin in plugins]
    values = overrides_of(
        overrides,
        trials=trials,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        data_root=None if data_root is None else os.fspath(data_root),
    )
    source = Path(run_file) if isinstance(run_file, str | os.PathLike) else run_file
    resolved = open_run(source, values, plugins=folders)
    folder = _folder(source, out)

    from mtlsearch.api._progress import progress_of
    from mtlsearch.runs import run_search
    from mtlsearch.training import resolve_device

    try:
        run_search(resolved, folder, device=resolve_device(device), progress=progress_of(progress))
    except BaseException as error:
        if is_interrupt(error):
            raise KeyboardInterrupt(
                f"the search in {folder} was interrupted. Finished trials are kept; the same call "
                f"resumes it, and `mtlsearch.load({str(folder)!r})` opens it"
            ) from error
        raise
    return load(folder, plugins=plugins)


def _folder(source: Path | Mapping[str, Any] | RunConfig, out: object) -> Path:
    from mtlsearch.files import default_run_folder

    if isinstance(out, str | os.PathLike):
        return Path(out)
    if isinstance(source, Path):
        return default_run_folder(source)
    raise ConfigError(
        "`out` is missing: a run without a file has no name",
        where="out",
        next_step="pass the run directory, such as `out='results/first'`",
    )
