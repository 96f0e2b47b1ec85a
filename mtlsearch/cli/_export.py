"""``mtlsearch export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._opening import reopen_run
from mtlsearch.cli._shell import Shell


def export(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory of a search.")],
    out: Annotated[Path, typer.Option("--out", metavar="BUNDLE", help="The folder to write.")],
    trial: Annotated[
        str, typer.Option("--trial", metavar="best|N", help="The best one, or one by number.")
    ] = "best",
    trained: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What `mtlsearch train` trained at length, instead."),
    ] = None,
) -> None:
    """Write a trial's network as a bundle that runs anywhere.

    It holds ONNX, a torch.export program, safetensors weights and a JSON.
    Each is checked against the trained network. What stands at BUNDLE is replaced.
    """
    wanted = _trial(trial)
    shell = Shell.of(ctx)
    loaded, catalog = reopen_run(run, shell)

    import torch

    from mtlsearch.bundle import open_bundle
    from mtlsearch.export import export_trial
    from mtlsearch.leaderboard import front_of
    from mtlsearch.record import objectives_in
    from mtlsearch.search import (
        RunDirectory,
        Silent,
        open_session,
        pick_trial,
        read_confirmed,
        read_records,
        trained_record,
    )

    records = read_records(run, loaded.config)
    folder = RunDirectory(run)
    if trained is None:
        objectives = objectives_in(records, loaded.config.search.objectives)
        front = front_of(records, objectives) if len(objectives) > 1 else []
        record = pick_trial(records, wanted, read_confirmed(run, loaded.config, records), front)
        if wanted == "best" and front:
            shell.console.say(
                f"on the Pareto front of {', '.join(at.name for at in objectives)}: trials "
                f"{', '.join(str(at.number) for at in front)}; --trial N takes one of them, "
                "the highest Δm is taken"
            )
        shell.console.say(f"exporting trial {record.number}: {record.plan}")
    else:
        record, folder = trained_record(folder, trained), folder.trained(trained)
        shell.console.say(f"exporting {trained}: {record.plan}")
    session = open_session(
        loaded,
        catalog,
        folder,
        device=torch.device("cpu"),
        progress=Silent(),
        check=False,
    )
    export_trial(session, record, out, progress=shell.console.say)
    shell.console.detail(open_bundle(out).describe())
    shell.console.result(str(out))
    shell.console.say(f"next: mtlsearch predict {out} IMAGE... --out DIR")


def _trial(text: str) -> Literal["best"] | int:
    """What ``--trial`` asks for.

    Raises:
        ConfigError: it is neither ``best`` nor a number.
    """
    from mtlsearch.errors import ConfigError

    if text == "best":
        return "best"
    if not text.isdecimal():
        raise ConfigError(
            f"{text!r} is no trial", where="--trial", allowed=["best", "a trial's number"]
        )
    return int(text)
