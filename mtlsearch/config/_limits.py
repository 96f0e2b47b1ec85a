"""Section ``limits`` of a run file."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, PositiveInt, field_validator

from mtlsearch.config._section import Section

Reference = Literal["", "single", "independent", "hard"]
"""The cost that an amount is a multiple of; empty: the amount is absolute."""

PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
COUNT_EXAMPLES = "1.5x, 0.8 independent, 1.1 hard, 12M or 12000000"
TIME_EXAMPLES = "12, 1.5x, 0.8 independent or 1.1 hard"

_NUMBER = r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*"
_RELATIVE = re.compile(_NUMBER + r"(x|independent|hard)\s*")
_ABSOLUTE = re.compile(_NUMBER + r"([kMGT]?)\s*")


class LimitsConfig(Section):
    """Resource limits of a candidate; null: no limit."""

    params: float | str | None = Field(
        None,
        description="maximum number of parameters: 12M, 0.8 independent, or 1.5x (times the mean "
        "single-task network)",
    )
    flops: float | str | None = Field(
        None, description="maximum FLOPs per image: 1.2G, 1.5x, 0.8 independent or 1.1 hard"
    )
    latency_ms: float | str | None = Field(
        None,
        description="maximum milliseconds per image on this device: 12, 1.5x or 0.8 independent",
    )
    latency_batch: PositiveInt | None = Field(
        None,
        description="size of the batch that is measured besides one image; null: train.batch_size",
    )

    @field_validator("params", "flops", mode="before")
    @classmethod
    def _check_count(cls, value: Any) -> Any:
        return _normalize(value, prefixes=True)

    @field_validator("latency_ms", mode="before")
    @classmethod
    def _check_time(cls, value: Any) -> Any:
        return _normalize(value, prefixes=False)

    @property
    def limit_by_key(self) -> dict[str, Limit]:
        """The limits by key; empty without limits."""
        values = {"params": self.params, "flops": self.flops, "latency_ms": self.latency_ms}
        return {key: parse_limit(value) for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Limit:
    """The maximum of a cost.

    >>> parse_limit("1.5x").resolve(independent=30.0, hard=12.0, num_tasks=3)
    15.0

    Attributes:
        amount: the maximum, or a factor of ``reference``.
        reference: ``single`` (the mean single-task network), a baseline, or empty for an
            absolute amount.
    """

    amount: float
    reference: Reference = ""

    def resolve(self, *, independent: float, hard: float, num_tasks: int) -> float:
        """Return the limit as an absolute number.

        Args:
            independent: cost of the baseline ``independent``.
            hard: cost of the baseline ``hard``.
            num_tasks: number of tasks.

        Returns:
            The maximum, in the unit of the costs.
        """
        cost_by_reference = {
            "": 1.0,
            "single": independent / num_tasks,
            "independent": independent,
            "hard": hard,
        }
        return self.amount * cost_by_reference[self.reference]


def parse_limit(value: Any, *, prefixes: bool = True) -> Limit:
    """Parse a limit of a run file.

    Args:
        value: a number, or text such as ``1.5x``, ``0.8 independent``, ``12M``.
        prefixes: allow k, M, G and T behind a number.

    Returns:
        The limit.

    Raises:
        ValueError: the value is not a positive, finite amount.
    """
    limit = _parse(value, prefixes)
    if limit is None or not math.isfinite(limit.amount) or limit.amount <= 0:
        examples = COUNT_EXAMPLES if prefixes else TIME_EXAMPLES
        raise ValueError(
            f"{value!r} is not a valid limit; set a positive amount such as {examples} "
            "(x: times the mean single-task network)"
        )
    return limit


def _parse(value: Any, prefixes: bool) -> Limit | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Limit(float(value))
    if not isinstance(value, str):
        return None
    if relative := _RELATIVE.fullmatch(value):
        references: dict[str, Reference] = {
            "x": "single",
            "independent": "independent",
            "hard": "hard",
        }
        return Limit(float(relative[1]), references[relative[2]])
    absolute = _ABSOLUTE.fullmatch(value)
    if absolute is None or (absolute[2] and not prefixes):
        return None
    return Limit(float(absolute[1]) * PREFIXES[absolute[2]])


def _normalize(value: Any, *, prefixes: bool) -> Any:
    """Return the value as in the run file, so that the saved run file contains the same."""
    if value is None:
        return None
    limit = parse_limit(value, prefixes=prefixes)
    if isinstance(value, str) and value.strip()[-1].isalpha():
        return value.strip()
    return limit.amount  # quoted numbers are saved as numbers
