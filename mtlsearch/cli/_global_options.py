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
        """Log as much as was asked for; libraries only warn, or inform with ``--debug``."""
        level = logging.ERROR if self.quiet else logging.INFO if self.debug else logging.WARNING
        logging.basicConfig(level=level, format="%(name)s: %(message)s", force=True)
        own = logging.DEBUG if self.debug else logging.INFO if self.verbose else logging.NOTSET
        logging.getLogger("mtlsearch").setLevel(own)
