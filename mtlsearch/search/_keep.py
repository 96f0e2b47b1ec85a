"""Whose weights stay on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mtlsearch.record import TrialRecord, deltas
from mtlsearch.search._run_directory import RunDirectory


def forget_weights(
    run: RunDirectory, records: Sequence[TrialRecord], keep: Literal["all"] | int
) -> None:
    """Delete the weights of all but the best ``keep`` trials; baselines always stay."""
    if keep == "all":
        return
    known = deltas(records)
    ranked = sorted(
        (record for record in records if record.state == "complete" and record.role is None),
        key=lambda record: known.get(record.number, float("-inf")),
        reverse=True,
    )
    for record in ranked[keep:]:
        run.weights(record.number).unlink(missing_ok=True)
