"""Metrics of merged networks on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mtlsearch.errors import RunError
from mtlsearch.files import atomic_write, load_json
from mtlsearch.runs._merge_price import MergeKey, MergeSettings
from mtlsearch.study import RunDirectory


@dataclass(slots=True)
class MergeStore:
    """Metrics of merged paths on disk; those of other weights or settings are not used."""

    run: RunDirectory
    origin: dict[str, Any]
    metrics: dict[MergeKey, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def open(cls, run: RunDirectory, trial: int, settings: MergeSettings) -> MergeStore:
        """Open the store of a run directory.

        Args:
            run: the run directory.
            trial: number of the ``independent`` trial.
            settings: settings of merging.

        Returns:
            The store, with what an earlier call measured with the same weights and settings.

        Raises:
            RunError: the file cannot be read.
        """
        digest = hashlib.sha256(run.weights(trial).read_bytes()).hexdigest()
        origin = {"trial": trial, "weights": digest, **asdict(settings)}
        origin["factors"] = list(settings.factors)
        store = cls(run, origin)
        if run.merging.is_file():
            store.metrics |= dict(store._stored())
        return store

    def add(self, metrics: Mapping[MergeKey, dict[str, float]]) -> None:
        """Add metrics of merged paths and write all of them, atomically.

        Args:
            metrics: values by metric name.
        """
        self.metrics |= metrics
        paths = [
            {"task": task, "path": path, "factor": factor, "metrics": values}
            for (task, path, factor), values in self.metrics.items()
        ]
        with atomic_write(self.run.merging) as temporary:
            temporary.write_text(
                json.dumps({"origin": self.origin, "paths": paths}, indent=1) + "\n",
                encoding="utf-8",
            )

    def _stored(self) -> Iterator[tuple[MergeKey, dict[str, float]]]:
        """Yield what an earlier call measured with the same weights and settings."""
        file = self.run.merging
        try:
            value = load_json(file.read_text(encoding="utf-8"))
            if value["origin"] == self.origin:
                for item in value["paths"]:
                    path = tuple(map(tuple, item["path"]))
                    metrics = {name: float(number) for name, number in item["metrics"].items()}
                    yield (item["task"], path, item["factor"]), metrics
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"cannot read the metrics of merged networks: {error}",
                where=str(file),
                next_step="delete the file to measure them again",
            ) from error
