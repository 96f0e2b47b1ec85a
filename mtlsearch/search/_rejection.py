"""Candidates that are too slow: written down, not trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtlsearch.results import TrialRecord
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search.space import ResourceLimits
from mtlsearch.study import TrialStore

MAX_REJECTIONS = 50
"""Candidates in a row that turn out to be too slow, before the search gives up."""


def reject(record: TrialRecord, store: TrialStore, progress: SearchProgress) -> None:
    """Settle a trial that is not trained; it does not count among the trials of a search."""
    record = replace(record, state="infeasible", reason=f"over the budget: {record.over_limits}")
    store.finish(record, None)
    progress.note(f"trial {record.number} not trained, {record.reason}  {record.plan}")


def too_many_rejections(records: Sequence[TrialRecord], budget: ResourceLimits | None) -> str:
    """Why nothing more is proposed: all of the last so many were too slow; else empty."""
    last = [record for record in records if record.state != "interrupted"][-MAX_REJECTIONS:]
    if len(last) < MAX_REJECTIONS or any(record.state != "infeasible" for record in last):
        return ""
    return f"the last {len(last)} candidates were {_too_slow(records, budget)}"


def exhaustion_reason(records: Sequence[TrialRecord], budget: ResourceLimits | None) -> str:
    """Why nothing more is proposed where the space is exhausted."""
    reason = "no further candidate was found that is allowed and has not been measured"
    if rejected := sum(record.state == "infeasible" for record in records):
        reason += f"; {rejected} were {_too_slow(records, budget)}"
    return reason


def _too_slow(records: Sequence[TrialRecord], budget: ResourceLimits | None) -> str:
    """The limit, and what it would have to be for the fastest network of all."""
    timed = [(at.latency.ms, at) for at in records if at.latency is not None]
    ms, fastest = min(timed, key=lambda pair: pair[0])
    most = None if budget is None else budget.most_ms
    limit = "" if most is None else f" of {most:.3g} ms"
    return (
        f"over the latency budget{limit}; the fastest network so far, trial {fastest.number} "
        f"({fastest.baseline or fastest.plan}), takes {ms:.3g} ms"
    )
