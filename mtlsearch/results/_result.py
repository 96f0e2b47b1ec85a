"""What was measured of one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from mtlsearch.plugin import Metric
from mtlsearch.results._number import from_number, to_number


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A task's metrics with their directions.

    Attributes:
        metrics: value by metric name; NaN where it is undefined.
        specs: the task's metrics, their directions and which one is primary.
    """

    metrics: Mapping[str, float]
    specs: tuple[Metric, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", MappingProxyType(dict(self.metrics)))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form; :meth:`from_json` reads it back."""
        specs = [asdict(spec) for spec in self.specs]
        for spec in specs:
            spec |= {"low": to_number(spec["low"]), "high": to_number(spec["high"])}
        return {
            "metrics": {name: to_number(value) for name, value in self.metrics.items()},
            "specs": specs,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaskResult:
        """The result that :meth:`to_json` wrote."""
        specs = [
            Metric(**spec | {"low": from_number(spec["low"]), "high": from_number(spec["high"])})
            for spec in value["specs"]
        ]
        metrics = {name: from_number(number) for name, number in value["metrics"].items()}
        return cls(metrics, tuple(specs))
