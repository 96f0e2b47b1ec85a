"""How much a network may cost, as a run file says it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

Of = Literal["", "single", "independent", "hard"]
"""What an amount is a multiple of; empty: it is absolute."""

PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
COUNT_EXAMPLES = "1.5x, 0.8 independent, 1.1 hard, 12M or 12000000"
TIME_EXAMPLES = "12, 1.5x, 0.8 independent or 1.1 hard"

_NUMBER = r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*"
_RELATIVE = re.compile(_NUMBER + r"(x|independent|hard)\s*")
_ABSOLUTE = re.compile(_NUMBER + r"([kMGT]?)\s*")


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that something may come to.

    >>> parse_limit("1.5x").within(independent=30.0, hard=12.0, tasks=3)
    15.0

    Attributes:
        amount: a number, or a multiple of what ``of`` names.
        of: ``single``, the mean single-task network; a baseline; or nothing.
    """

    amount: float
    of: Of = ""

    def within(self, *, independent: float, hard: float, tasks: int) -> float:
        """The limit as a number, where the baselines come to these."""
        base = {
            "": 1.0,
            "single": independent / tasks,
            "independent": independent,
            "hard": hard,
        }
        return self.amount * base[self.of]


def parse_limit(value: Any, *, prefixes: bool = True) -> Limit:
    """The limit that a run file gives.

    Args:
        value: a number, or text such as ``1.5x``, ``0.8 independent``, ``12M``.
        prefixes: whether k, M, G and T may stand behind a number.

    Raises:
        ValueError: it is none.
    """
    limit = _parsed(value, prefixes)
    if limit is None or not math.isfinite(limit.amount) or limit.amount <= 0:
        examples = COUNT_EXAMPLES if prefixes else TIME_EXAMPLES
        raise ValueError(
            f"{value!r} is no budget; allowed are positive amounts such as {examples} "
            "(x: times the mean single-task network)"
        )
    return limit


def _parsed(value: Any, prefixes: bool) -> Limit | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Limit(float(value))
    if not isinstance(value, str):
        return None
    if relative := _RELATIVE.fullmatch(value):
        of: dict[str, Of] = {"x": "single", "independent": "independent", "hard": "hard"}
        return Limit(float(relative[1]), of[relative[2]])
    absolute = _ABSOLUTE.fullmatch(value)
    if absolute is None or (absolute[2] and not prefixes):
        return None
    return Limit(float(absolute[1]) * PREFIXES[absolute[2]])
