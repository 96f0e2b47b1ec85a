"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunFile = Annotated[Path, typer.Argument(metavar="RUN.yaml", help="The run file.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Replace a value of the run file: train.epochs=3."
    ),
]
Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda, or one GPU such as cuda:1; auto: a GPU if any.")
]
