"""Arguments and options that several commands have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mtlsearch.config import Override

RunFile = Annotated[Path, typer.Argument(metavar="RUN.yaml", help="Run file.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Replace a value of the run file, such as train.epochs=3. Repeatable.",
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        "--trials",
        metavar="N",
        min=1,
        help="Number of trials, including finished ones. Default: search.trials.",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", metavar="N", min=1, help="Short for --set train.epochs=N."),
]
BatchSize = Annotated[
    int | None,
    typer.Option("--batch-size", metavar="N", min=1, help="Short for --set train.batch_size=N."),
]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, help="Short for --set seed=N.")
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", metavar="DIR", help="Short for --set data.root=DIR."),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE", help="auto (a GPU if available), cpu, cuda, or a GPU index such as 0."
    ),
]


def merge_overrides(
    overrides: Sequence[str] | None,
    *,
    trials: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    data_root: Path | None = None,
) -> list[str | Override]:
    """Return the values of ``--set`` and behind them those of the short options.

    Args:
        overrides: values of ``--set``.
        trials: value of ``--trials``; None if absent. The same holds for the following.
        epochs: value of ``--epochs``.
        batch_size: value of ``--batch-size``.
        seed: value of ``--seed``.
        data_root: value of ``--data-root``.

    Returns:
        The overrides for :func:`mtlsearch.config.load_run`, which raises errors that name the
        option.
    """
    from mtlsearch.config import shortcut_overrides

    values = {
        "trials": trials,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "data_root": None if data_root is None else str(data_root),
    }
    return [
        *(overrides or ()),
        *shortcut_overrides(values, lambda name, value: f"--{name.replace('_', '-')} {value}"),
    ]
