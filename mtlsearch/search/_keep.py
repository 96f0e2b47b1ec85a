"""Whose weights stay on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mtlsearch.record import TrialRecord, delta_m, reference_of
from mtlsearch.search._run_directory import RunDirectory


def forget_weights(
    run: RunDirectory, records: Sequence[TrialRecord], keep: Literal["all"] | int
) -> None:
    """Delete the weights of all but the best ``keep`` trials; baselines always stay."""
    if keep == "all":
        return
    reference = reference_of(records)
    ranked = sorted(
        (record for record in records if record.state == "complete" and record.role is None),
        key=lambda record: _rank(delta_m(record.results, reference)[0]),
        reverse=True,
    )
    for record in ranked[keep:]:
        run.weights(record.number).unlink(missing_ok=True)


def _rank(value: float | None) -> float:
    """A Δm of 0 is better than none."""
    return float("-inf") if value is None else value
