"""The ``budget`` part of a run file."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PositiveInt, field_validator

from mtlsearch.config._limit import Limit, parse_limit
from mtlsearch.config._section import Section


class LimitsConfig(Section):
    """What a proposed network may cost; null: as much as it likes."""

    params: float | str | None = Field(
        None, description="most weights: 1.5x (of a single-task network), 0.8 independent, 12M"
    )
    flops: float | str | None = Field(
        None, description="most FLOPs for one image: 1.5x, 0.8 independent, 1.1 hard, 1.2G"
    )
    latency_ms: float | str | None = Field(
        None, description="most milliseconds for one image on this device: 12, 0.8 independent"
    )
    latency_batch: PositiveInt | None = Field(
        None, description="images of the batch that is timed as well; null: train.batch_size"
    )

    @field_validator("params", "flops", mode="before")
    @classmethod
    def _count(cls, value: Any) -> Any:
        return _checked(value, prefixes=True)

    @field_validator("latency_ms", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return _checked(value, prefixes=False)

    @property
    def by_key(self) -> dict[str, Limit]:
        """What is limited, by key; empty where nothing is."""
        given = {"params": self.params, "flops": self.flops, "latency_ms": self.latency_ms}
        return {key: parse_limit(value) for key, value in given.items() if value is not None}


def _checked(value: Any, *, prefixes: bool) -> Any:
    """The value as it was written, so that the saved run file says the same."""
    if value is None:
        return None
    limit = parse_limit(value, prefixes=prefixes)
    if isinstance(value, str) and value.strip()[-1].isalpha():
        return value.strip()
    return limit.amount  # a number in quotes is a number
