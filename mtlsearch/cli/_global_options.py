"""Options that every command has."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import typer

from mtlsearch.cli._console import Console


@dataclass
class GlobalOptions:
    """Values of the options that every command has, before or after the command's name.

    Attributes:
        verbose: whether to print details.
        quiet: whether to print only results and errors.
        debug: whether to show tracebacks.
        plugins: folders with additional plugins.
    """

    verbose: bool = False
    quiet: bool = False
    debug: bool = False
    plugins: tuple[Path, ...] = field(default_factory=tuple)

    @classmethod
    def of(cls, ctx: typer.Context) -> GlobalOptions:
        """Return the options of the command that runs."""
        return ctx.ensure_object(cls)

    @property
    def console(self) -> Console:
        """Console with this verbosity."""
        return Console(verbose=self.verbose or self.debug, quiet=self.quiet)

    def set_up_logging(self) -> None:
        """Set the log levels of mtlsearch and of the libraries.

        The libraries log warnings, and with ``--debug`` also infos.
        """
        level = logging.ERROR if self.quiet else logging.INFO if self.debug else logging.WARNING
        logging.basicConfig(level=level, format="%(name)s: %(message)s", force=True)
        detail = logging.INFO if self.verbose else logging.NOTSET
        logging.getLogger("mtlsearch").setLevel(logging.DEBUG if self.debug else detail)
