"""Saying things: results to standard output, all else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import Console as RichConsole


class Console:
    """Says results, notes and errors, as loudly as was asked for.

    Results go to standard output, so that ``> file`` holds them alone. Text is printed as
    it is: square brackets are no markup.

    Args:
        verbose: say details too.
        quiet: say nothing but results and errors.
    """

    def __init__(self, *, verbose: bool = False, quiet: bool = False) -> None:
        self.verbose = verbose
        self.quiet = quiet

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees standard error as it comes."""
        return sys.stderr.isatty()

    def rich(self, stream: TextIO) -> RichConsole:
        """A rich console on a stream, for bars and tables."""
        from rich.console import Console as RichConsole

        return RichConsole(file=stream, soft_wrap=True, highlight=False)

    def result(self, text: str) -> None:
        """What the command was asked for."""
        typer.echo(text)

    def say(self, text: str) -> None:
        """What is going on."""
        if not self.quiet:
            typer.echo(text, err=True)

    def detail(self, text: str) -> None:
        """What only somebody who said ``-v`` wants to know."""
        if self.verbose and not self.quiet:
            typer.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Something is odd, and the command goes on."""
        if not self.quiet:
            self._mark("warning:", "yellow", text)

    def stopped(self, text: str) -> None:
        """The person stopped the command."""
        self._mark("stopped:", "yellow", text)

    def error(self, text: str) -> None:
        """Why the command stops."""
        self._mark("error:", "bold red", text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A result in columns under their names; aligned lines where it is read by a program."""
        if sys.stdout.isatty():
            self._ruled(columns, rows)
            return
        lines = [columns, *rows]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        for row in lines:
            cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
            self.result("  ".join(cells).rstrip())

    def _ruled(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self.rich(sys.stdout).print(table, soft_wrap=False)

    def _mark(self, mark: str, style: str, text: str) -> None:
        if not self.is_terminal:
            typer.echo(f"{mark} {text}", err=True)
            return
        from rich.text import Text

        self.rich(sys.stderr).print(Text.assemble((mark, style), " ", text))
