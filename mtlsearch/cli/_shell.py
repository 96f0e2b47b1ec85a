"""What a person asked for besides the command itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import typer

from mtlsearch.cli._console import Console


@dataclass
class Shell:
    """The options that every command has, whether they stand before or behind its name.

    Attributes:
        verbose: say more.
        quiet: say nothing but results and errors.
        debug: show tracebacks.
        plugins: folders with further plugins.
    """

    verbose: bool = False
    quiet: bool = False
    debug: bool = False
    plugins: tuple[Path, ...] = field(default_factory=tuple)

    @classmethod
    def of(cls, ctx: typer.Context) -> Shell:
        """The one of the command that runs."""
        return ctx.ensure_object(cls)

    @property
    def console(self) -> Console:
        """Where to say things."""
        return Console(verbose=self.verbose or self.debug, quiet=self.quiet)

    def set_up_logging(self) -> None:
        """Let libraries log as much as was asked for."""
        level = logging.ERROR if self.quiet else logging.WARNING
        if self.verbose:
            level = logging.INFO
        if self.debug:
            level = logging.DEBUG
        logging.basicConfig(level=level, format="%(name)s: %(message)s", force=True)
