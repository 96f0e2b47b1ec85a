"""Console: results on standard output, messages on standard error."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

PIPE_WIDTH = 120
"""Columns of a table that is not printed on a terminal."""

GAP = 2
"""Blanks between two columns on a terminal."""

MIN_LAST_COLUMN = 20
"""The last column of a table is wrapped to no fewer characters."""


class Console:
    """Printer of results to stdout and of messages to stderr, by ``--quiet`` and ``--verbose``.

    With ``> file``, the file contains the results only. Text is printed verbatim: square
    brackets are not interpreted as markup.

    Args:
        verbose: print details.
        quiet: print only results and errors.
    """

    def __init__(self, *, verbose: bool = False, quiet: bool = False) -> None:
        self.verbose = verbose
        self.quiet = quiet

    @property
    def is_terminal(self) -> bool:
        """Whether standard error is a terminal."""
        return sys.stderr.isatty()

    def rich(self, stream: TextIO) -> RichConsole:
        """Return a rich console on a stream, for bars and tables."""
        from rich.console import Console as RichConsole

        return RichConsole(file=stream, soft_wrap=True, highlight=False)

    def print(self, text: str) -> None:
        """Print a result to standard output."""
        typer.echo(text)

    def info(self, text: str) -> None:
        """Print a message, unless ``--quiet``."""
        if not self.quiet:
            typer.echo(text, err=True)

    def debug(self, text: str) -> None:
        """Print a detail, only with ``--verbose``."""
        if self.verbose and not self.quiet:
            typer.echo(text, err=True)

    def warning(self, text: str) -> None:
        """Print a warning, unless ``--quiet``."""
        if not self.quiet:
            self._print_label("warning:", "yellow", text)

    def interrupted(self, text: str) -> None:
        """Print that the user interrupted the command."""
        self._print_label("interrupted:", "yellow", text)

    def error(self, text: str) -> None:
        """Print an error."""
        self._print_label("error:", "bold red", text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a result as a table.

        On a terminal, cells are wrapped between words to fit its width. Words and numbers stay
        whole: the table is wider than the terminal if they do not fit. Otherwise the columns are
        aligned with blanks, and long texts in the last column are wrapped to lines of 120
        characters.

        Args:
            columns: names of the columns.
            rows: cells of each row, one per column.
        """
        if sys.stdout.isatty():
            self._print_fitted_table(columns, rows)
            return
        lines = [columns, *rows]
        widths = [max(map(len, cells)) for cells in list(zip(*lines, strict=True))[:-1]]
        left = sum(widths) + 2 * len(widths)
        for row in lines:
            cells = [f"{cell:<{width}}  " for cell, width in zip(row[:-1], widths, strict=True)]
            first, *more = _wrap(row[-1], PIPE_WIDTH - left)
            for start, text in [("".join(cells), first), *((" " * left, text) for text in more)]:
                self.print((start + text).rstrip())

    def _print_fitted_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table for the width of the terminal, with a bold heading."""
        from rich.cells import set_cell_size
        from rich.text import Text

        width = self.rich(sys.stdout).width
        widths = _fit([list(cells) for cells in zip(columns, *rows, strict=True)], width)
        for number, row in enumerate([columns, *rows]):
            cells = [_fold(cell, size) for cell, size in zip(row, widths, strict=True)]
            for parts in zip_longest(*cells, fillvalue=""):
                sized = map(set_cell_size, parts, widths)
                line = (" " * GAP).join(sized).rstrip()
                self.rich(sys.stdout).print(Text(line, style="bold" if number == 0 else ""))

    def _print_label(self, label: str, style: str, text: str) -> None:
        if not self.is_terminal:
            typer.echo(f"{label} {text}", err=True)
            return
        from rich.text import Text

        self.rich(sys.stderr).print(Text.assemble((label, style), " ", text))


def _fit(columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the widths of columns: the widest are narrowed first, words stay whole."""
    widths = [max(map(_width, cells)) for cells in columns]
    least = [
        max((_width(word) for cell in cells for word in cell.split()), default=0)
        for cells in columns
    ]
    for _ in range(max(0, sum(widths) + GAP * (len(widths) - 1) - width)):
        wide = [size if size > low else 0 for size, low in zip(widths, least, strict=True)]
        if not any(wide):
            break
        widths[wide.index(max(wide))] -= 1
    return widths


def _fold(cell: str, width: int) -> list[str]:
    """Return the lines of a cell of which each word fits the width."""
    lines = [""]
    for word in cell.split():
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if _width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _width(text: str) -> int:
    """Return the width of a text in characters of a terminal."""
    from rich.cells import cell_len

    return cell_len(text)


def _wrap(text: str, width: int) -> list[str]:
    """Return the lines of a cell; below the minimum width it is not wrapped."""
    if len(text) <= width or width < MIN_LAST_COLUMN:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
