"""Wrapping of sharing plans at places where they can be read."""

from __future__ import annotations

import re

from rich.cells import cell_len, chop_cells

_PIECE = re.compile(r"[^ +]+[ +]*|[ +]+")
"""A name with the blanks and plus signs behind it; a line can end after it."""


def wrap_plan(text: str, width: int) -> str:
    """Wrap a plan behind blanks and plus signs; every character but blanks at line ends remains.

    A longer name is split, with an ellipsis at the end of each line but the last.

    Args:
        text: the plan.
        width: largest number of characters per line, at least 2.

    Returns:
        The plan with line breaks.
    """
    lines = [""]
    for piece in _PIECE.findall(text):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        if cell_len(piece.rstrip()) > width:
            *starts, piece = _split_name(piece, width)
            lines[-1:] = [*starts, ""]
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _split_name(name: str, width: int) -> list[str]:
    """Split a name into lines, all but the last with an ellipsis."""
    *starts, end = chop_cells(name.rstrip(), width - 1)
    return [*(f"{start}…" for start in starts), end + name[len(name.rstrip()) :]]


def longest_line(text: str) -> int:
    """Return the width of the longest line in characters of a terminal."""
    return max(map(cell_len, text.split("\n")))
