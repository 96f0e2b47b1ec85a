"""Rejection of candidates that exceed the latency limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from mtlsearch.results import TrialRecord
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search.space import ResourceLimits
from mtlsearch.study import TrialStore

MAX_REJECTIONS = 50
"""Consecutive infeasible candidates after which a search ends."""


def reject(record: TrialRecord, store: TrialStore, progress: SearchProgress) -> None:
    """Finish a trial as infeasible; it does not count toward ``search.trials``.

    Args:
        record: the trial, with ``over_limits`` set.
        store: the trials of the run.
        progress: callbacks.
    """
    record = replace(record, state="infeasible", reason=f"over the limits: {record.over_limits}")
    store.finish(record, None)
    progress.note(f"trial {record.number} not trained, {record.reason}  {record.plan}")


def with_limits(record: TrialRecord, over_limits: str) -> TrialRecord:
    """Mark a trained trial that exceeds a limit as infeasible.

    It counts toward ``search.trials``. A baseline stays complete, since Δm and the verdict refer to
    it. A second seed does, since the weights of its trial are those of the first one.

    Args:
        record: the complete trial.
        over_limits: which limits its network exceeds.

    Returns:
        The trial, infeasible or with a note; a second seed itself.
    """
    if record.repeats is not None:
        return record
    texts = [text for text in (record.over_limits, over_limits) if text]
    reason = f"over the limits: {over_limits}"
    if record.baseline is None:
        return replace(record, state="infeasible", reason=reason, over_limits=", ".join(texts))
    notes = [text for text in (record.note, reason) if text]
    return replace(record, note="; ".join(notes), over_limits=", ".join(texts))


def too_many_rejections(records: Sequence[TrialRecord], limits: ResourceLimits) -> str:
    """Return why a search ends if all of the last candidates are infeasible.

    Args:
        records: all trials, by number.
        limits: the limits of the candidate space.

    Returns:
        The reason; empty if the search continues.
    """
    ended = (record for record in reversed(records) if record.state != "interrupted")
    last = list(islice(ended, MAX_REJECTIONS))
    if len(last) < MAX_REJECTIONS or not all(map(_is_rejected, last)):
        return ""
    return f"the last {len(last)} candidates are {_over_latency_limit(records, limits)}"


def exhaustion_reason(
    records: Sequence[TrialRecord], limits: ResourceLimits | None, *, is_enumerated: bool
) -> str:
    """Return why a search ends if the sampler has no further candidate.

    Args:
        records: all trials, by number.
        limits: the limits of the candidate space.
        is_enumerated: whether the sampler can list all candidates, so that none is left.

    Returns:
        The reason.
    """
    if is_enumerated:
        within = "" if limits is None else " within the limits"
        reason = f"all candidates of the search space{within} were measured"
    else:
        reason = "no further candidate was found that is feasible and has not been measured"
    if num_infeasible := sum(map(_is_rejected, records)):
        reason += f". {num_infeasible} candidates are {_over_latency_limit(records, limits)}"
    return reason


def _is_rejected(record: TrialRecord) -> bool:
    """Return whether a trial was not trained, since its latency exceeds the limit."""
    return record.state == "infeasible" and not record.is_finished


def _over_latency_limit(records: Sequence[TrialRecord], limits: ResourceLimits | None) -> str:
    """Return the limit and the lowest latency so far, which a limit must allow."""
    latencies = [(record.latency.ms, record) for record in records if record.latency is not None]
    ms, fastest = min(latencies, key=lambda pair: pair[0])
    max_ms = None if limits is None else limits.max_latency_ms
    limit = "" if max_ms is None else f" of {max_ms:.3g} ms"
    return (
        f"over the latency limit{limit}. The fastest network so far, trial {fastest.number} "
        f"({fastest.baseline or fastest.plan}), takes {ms:.3g} ms"
    )
