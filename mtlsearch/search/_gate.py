"""Candidates that are too slow: written down, not trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtlsearch.record import TrialRecord
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search._trial_store import TrialStore

REJECTED_AT_MOST = 50
"""Candidates in a row that turn out to be too slow, before the search gives up."""


def reject(record: TrialRecord, store: TrialStore, progress: SearchProgress) -> None:
    """Settle a trial that is not trained; it does not count among the trials of a search."""
    record = replace(record, state="rejected", why=f"over the budget: {record.over_budget}")
    store.settle(record, None)
    progress.note(f"trial {record.number} not trained, {record.why}  {record.plan}")


def none_fits(records: Sequence[TrialRecord]) -> str:
    """Why nothing more is proposed: all of the last so many were too slow; else empty."""
    last = [record for record in records if record.state != "interrupted"][-REJECTED_AT_MOST:]
    if len(last) < REJECTED_AT_MOST or any(record.state != "rejected" for record in last):
        return ""
    times = [record.latency.ms for record in records if record.latency is not None]
    return (
        f"the last {len(last)} candidates were over the latency budget; "
        f"the fastest network so far takes {min(times):.3g} ms"
    )
