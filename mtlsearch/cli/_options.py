"""Arguments and options that several commands have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

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
RunDataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root", metavar="DIR", help="Folder of the data, if it moved since the search."
    ),
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


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Options of the commands that train the trials of a search.

    Attributes:
        trials: value of ``--trials``; None if absent. The same holds for the following.
        epochs: value of ``--epochs``.
        batch_size: value of ``--batch-size``.
        seed: value of ``--seed``.
        data_root: value of ``--data-root``.
        overrides: values of ``--set``.
        device: value of ``--device``.
    """

    trials: Trials = None
    epochs: Epochs = None
    batch_size: BatchSize = None
    seed: Seed = None
    data_root: DataRoot = None
    overrides: Overrides = None
    device: Device = "auto"

    @property
    def values(self) -> list[str | Override]:
        """The overrides of the run file, see :func:`merge_overrides`."""
        return merge_overrides(
            self.overrides,
            trials=self.trials,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            data_root=self.data_root,
        )

    def arguments(self) -> list[str]:
        """Return the same options for the command line of another process.

        Returns:
            The arguments, ``--set`` first.
        """
        arguments = [part for text in self.overrides or () for part in ("--set", text)]
        for name in ("trials", "epochs", "batch_size", "seed", "data_root", "device"):
            value = getattr(self, name)
            if value is not None:
                arguments += [f"--{name.replace('_', '-')}", str(value)]
        return arguments


def takes_training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose parameter ``training`` is declared as one option per field.

    Args:
        command: function of a command with a keyword ``training`` of :class:`TrainingOptions`.

    Returns:
        The function for typer.
    """
    hints = get_type_hints(command, include_extras=True)
    field_hints = get_type_hints(TrainingOptions, include_extras=True)
    declared = {item.name: item.default for item in fields(TrainingOptions)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        defaults = declared if name == "training" else {name: parameter.default}
        parameters += [
            inspect.Parameter(
                option,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=field_hints.get(option, hints.get(option)),
            )
            for option, default in defaults.items()
        ]

    @wraps(command)
    def run(*context: typer.Context, **arguments: Any) -> None:
        values = {name: arguments.pop(name) for name in declared}
        command(*context, **arguments, training=TrainingOptions(**values))

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
