"""``mtlsearch backbones``."""

from __future__ import annotations

from typing import Annotated

import typer

from mtlsearch.cli._global_options import Shell


def backbones(
    ctx: typer.Context,
    pattern: Annotated[
        str, typer.Argument(help="Part of a name, or a shell pattern such as 'convnext*'.")
    ] = "",
) -> None:
    """List the timm backbones that a run file may name, one a line."""
    from mtlsearch.errors import ConfigError, did_you_mean
    from mtlsearch.models import list_backbones

    shell = Shell.of(ctx)
    is_pattern = not pattern or any(sign in pattern for sign in "*?[")
    names = list_backbones(pattern if is_pattern else f"*{pattern}*")
    if not names:
        raise ConfigError(
            f"no backbone's name has {pattern!r} in it"
            f"{did_you_mean(pattern.strip('*'), list_backbones())}",
            next_step="`mtlsearch backbones` lists all of them; '*' stands for anything",
        )
    for name in names:
        shell.console.result(name)
    shell.console.detail(f"{len(names)} backbones")
