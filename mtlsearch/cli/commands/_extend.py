"""``mtlsearch extend``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._context import reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import (
    BatchSize,
    DataRoot,
    Device,
    Epochs,
    Overrides,
    Seed,
    Trials,
    merge_overrides,
)
from mtlsearch.cli._trial import parse_trial
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.files import default_run_folder

if TYPE_CHECKING:
    from mtlsearch.config import LoadedRun


def extend(
    ctx: typer.Context,
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Run directory with the network in use, or a bundle of it."
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(metavar="NEW.yaml", help="Run file with the new tasks and their data."),
    ],
    trial: Annotated[
        str | None,
        typer.Option(
            metavar="best|N",
            help="Trial of RUN whose network is in use. A bundle contains one network.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Run directory of the extension. Default: results/NAME, with the name of the run "
            "file.",
        ),
    ] = None,
    unfreeze: Annotated[
        int,
        typer.Option(
            "--unfreeze",
            metavar="K",
            min=0,
            help="Tune the last K units, of those that a new task shares, with the network in use "
            "as teacher of its tasks. They change then. Default: 0.",
        ),
    ] = 0,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            metavar="PERCENT",
            min=0,
            help="With --unfreeze: a candidate is infeasible if the primary metric of a task in "
            "use is worse by more, on its own validation images. Default: 1.",
        ),
    ] = None,
    trials: Trials = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    data_root: DataRoot = None,
    overrides: Overrides = None,
    device: Device = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="Number of processes that train trials at the same time. Default: 1.",
        ),
    ] = None,
) -> None:
    """Add tasks to the network of a trial or bundle, whose own tasks do not change by one bit.

    Searches where each new task leaves the network: the task that it follows and the depth. With
    --unfreeze, the tasks in use change within a limit. The new images need no labels of them. DIR
    then is an ordinary run directory, which does not need RUN: `mtlsearch search DIR/run.yaml
    --out DIR` resumes it too.
    """
    options = GlobalOptions.of(ctx)
    folder = out or default_run_folder(file)
    is_bundle = (run / "bundle.json").is_file()
    _require_network(run, folder, trial, is_bundle=is_bundle)
    options.console.info(f"opening {run} and {file} ...")
    values = merge_overrides(
        overrides,
        trials=trials,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        data_root=data_root,
    )
    import os

    from mtlsearch.config import load_run
    from mtlsearch.runs import InUse, Tuning, extend_bundle, select_network, start_extension

    new = load_run(file, values, env=os.environ, plugins=options.plugins)
    tuning, warning = Tuning(unfreeze, max_drop), options.console.warning
    if is_bundle:
        space = _space_of(new, ())
        config = extend_bundle(run, new, space, folder, warning=warning, tuning=tuning)
    else:
        in_use = reopen_run(run, options)
        if data_root is not None and not in_use.config.data.root.is_dir():
            in_use = reopen_run(run, options, data_root)
        number = parse_trial(trial or "best")
        record, weights = select_network(run, in_use.config, number, None, options.console.info)
        space = _space_of(new, in_use.config.plugins)
        options.console.info(f"extending trial {record.number}: {record.plan}")
        config = start_extension(
            InUse(in_use, record, weights, run),
            new,
            space,
            folder,
            warning=warning,
            tuning=tuning,
        )
    with _storage_password(new.config.search.storage):
        _search(config, folder, device, workers, options)


def _space_of(new: LoadedRun, plugins: Sequence[Path]) -> str:
    """Return the space of the run file; by default, the only one that extends a network."""
    from mtlsearch.registry import build_registry

    if new.config.search.space is not None:
        return new.config.search.space.kind
    folders = dict.fromkeys([*plugins, *new.config.plugins])
    spaces = build_registry(tuple(folders)).spaces
    names = [name for name, cls in spaces.items() if cls.extends]
    if len(names) != 1:
        raise ConfigError(
            f"{len(names) or 'no'} search spaces extend a network in use, and the run file names "
            "none",
            where=new.where("search", "space"),
            allowed=[f"space: {name}" for name in names],
            next_step="set `search.space`"
            if names
            else "install mtlsearch again: its space `branch` is missing; `mtlsearch list plugins` "
            "shows why",
        )
    return names[0]


@contextmanager
def _storage_password(url: str | None) -> Iterator[None]:
    """Give the search, and its workers, the password that `run.yaml` hides."""
    import os

    from mtlsearch.config import STORAGE_PASSWORD, password_of

    password = None if url is None else password_of(url)
    if password is None:
        yield
        return
    before = os.environ.get(STORAGE_PASSWORD)
    os.environ[STORAGE_PASSWORD] = password
    try:
        yield
    finally:
        if before is None:
            del os.environ[STORAGE_PASSWORD]
        else:
            os.environ[STORAGE_PASSWORD] = before


def _search(
    config: Path, folder: Path, device: str, workers: int | None, options: GlobalOptions
) -> None:
    """Run `mtlsearch search` on the run directory, which the user can do too."""
    from mtlsearch.cli._app import run

    flags = {"--verbose": options.verbose, "--quiet": options.quiet, "--debug": options.debug}
    code = run(
        [
            *(flag for flag, is_set in flags.items() if is_set),
            *("search", str(config), "--out", str(folder), "--device", device),
            *([] if workers is None else ["--workers", str(workers)]),
        ]
    )
    if code:
        raise typer.Exit(code)


def _require_network(run: Path, folder: Path, trial: str | None, *, is_bundle: bool) -> None:
    """Check that one network is named; name the other way to resume if it was deleted."""
    if is_bundle and trial is not None:
        raise ConfigError(
            f"{run} is a bundle, which contains one network",
            where=f"--trial {trial}",
            next_step="remove --trial",
        )
    if not run.exists() and (folder / "kept.safetensors").is_file():
        raise RunError(
            "the run of the network in use does not exist, and the extension does not need it",
            where=str(run),
            next_step=f"run `mtlsearch search {folder / 'run.yaml'} --out {folder}` to resume",
        )
    if not is_bundle and trial is None:
        raise ConfigError(
            f"the trial of {run} whose network is in use is not named",
            where="--trial",
            allowed=["best", "a trial number"],
            next_step="set --trial",
        )
