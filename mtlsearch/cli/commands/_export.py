"""``mtlsearch export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._context import reopen_run
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._trial import choose_trial, wanted_trial


def export(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory of a search.")],
    out: Annotated[Path, typer.Option("--out", metavar="BUNDLE", help="The folder to write.")],
    trial: Annotated[
        str | None,
        typer.Option(
            "--trial", metavar="best|N", help="The best one (the default), or one by number."
        ),
    ] = None,
    trained: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What `mtlsearch train` trained at length, instead."),
    ] = None,
) -> None:
    """Write a trial's network as a bundle that runs anywhere.

    It holds ONNX, a torch.export program, safetensors weights and a JSON.
    Each is checked against the trained network. What stands at BUNDLE is replaced.
    """
    wanted = _wanted(trial, trained)
    shell = Shell.of(ctx)
    resolved = reopen_run(run, shell)

    import torch

    from mtlsearch.bundle import open_bundle
    from mtlsearch.export import export_trial
    from mtlsearch.runs import load_long_training, open_session
    from mtlsearch.search import NullProgress
    from mtlsearch.study import RunDirectory, read_records

    records = read_records(run, resolved.config)
    folder = RunDirectory(run)
    if trained is None:
        record = choose_trial(run, resolved.config, records, wanted, shell)
        shell.console.say(f"exporting trial {record.number}: {record.plan}")
    else:
        record, folder = load_long_training(folder, trained), folder.long_training(trained)
        shell.console.say(f"exporting {trained}: {record.plan}")
    session = open_session(
        resolved,
        folder,
        device=torch.device("cpu"),
        progress=NullProgress(),
        check=False,
    )
    export_trial(session, record, out, progress=shell.console.say)
    shell.console.detail(open_bundle(out).describe())
    shell.console.result(str(out))
    shell.console.say(f"next: mtlsearch predict {out} IMAGE... --out DIR")


def _wanted(trial: str | None, trained: str | None) -> Literal["best"] | int:
    """The trial that is asked for where nothing trained at length is.

    Raises:
        ConfigError: both are, or it is no trial.
    """
    if trial is not None and trained is not None:
        from mtlsearch.errors import ConfigError

        raise ConfigError(
            "a trial and what was trained at length are two networks, a bundle holds one",
            where=f"--trial {trial} --trained {trained}",
            next_step="give one of the two",
        )
    return wanted_trial("best" if trial is None else trial)
