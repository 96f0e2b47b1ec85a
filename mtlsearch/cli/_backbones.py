"""``mtlsearch backbones``."""

from __future__ import annotations

from typing import Annotated

import typer

from mtlsearch.cli._shell import Shell


def backbones(
    ctx: typer.Context,
    pattern: Annotated[
        str, typer.Argument(help="Part of a name, or a shell pattern such as 'convnext*'.")
    ] = "",
) -> None:
    """List the timm backbones that a run file may name, one a line."""
    from mtlsearch.backbone import list_backbones
    from mtlsearch.errors import UnknownNameError

    shell = Shell.of(ctx)
    is_pattern = not pattern or any(sign in pattern for sign in "*?[")
    names = list_backbones(pattern if is_pattern else f"*{pattern}*")
    if not names:
        raise UnknownNameError("backbone", pattern, _near(pattern, list_backbones()))
    for name in names:
        shell.console.result(name)
    shell.console.detail(f"{len(names)} backbones")


def _near(pattern: str, names: list[str]) -> list[str]:
    """A handful of the names most like the one asked for; all of them would fill the screen."""
    from difflib import get_close_matches

    return get_close_matches(pattern.strip("*"), names, n=5, cutoff=0.4)
