"""``mtlsearch plugins``."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import typer

from mtlsearch.cli._context import open_catalog
from mtlsearch.cli._global_options import Shell

if TYPE_CHECKING:
    from mtlsearch.registry import LoadedPlugin


def plugins(ctx: typer.Context) -> None:
    """List the plugins: what each adds, where it comes from, and why one does not load."""
    shell = Shell.of(ctx)
    registry = open_catalog(shell)
    shell.console.table(
        ("plugin", "from", "adds"),  # the longest last: in a pipe it pads no other line
        [(plugin.name, _origin(plugin), _adds(plugin)) for plugin in registry.plugins],
    )
    for failure in registry.failures:
        shell.console.error(
            f"plugin {failure.name!r} does not work: {failure.cause}\n  where:   {failure.where}"
        )
        if shell.debug and failure.error is not None:
            traceback.print_exception(failure.error)


def _adds(plugin: LoadedPlugin) -> str:
    added = [f"{noun} {', '.join(names)}" for noun, names in plugin.contributions.items()]
    return "; ".join(added) or "nothing"


def _origin(plugin: LoadedPlugin) -> str:
    return f"{plugin.where} ({plugin.version})" if plugin.version else plugin.where
