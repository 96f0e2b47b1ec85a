"""Retention policy for trial weights and checkpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Literal

from mtlsearch.results import (
    DELTA_M,
    Objective,
    TrialRecord,
    deltas,
    front_of,
    reference_trial,
    rung_ranks,
)
from mtlsearch.study._run_directory import RunDirectory


def prune_weights(
    run: RunDirectory,
    records: Sequence[TrialRecord],
    keep: Literal["all"] | int,
    objectives: Sequence[Objective] = (DELTA_M,),
    confirmed: Collection[int] = (),
) -> frozenset[int]:
    """Delete weights and checkpoints that the retention policy does not keep.

    Weights of baselines and of confirmed trials always stay; those of all trials stay until the
    reference is complete, and those of the Pareto front if there are several objectives. Those of
    infeasible trials do not. A paused trial whose checkpoint was deleted can still be promoted: it
    is then trained again from the first epoch.

    Args:
        run: run directory with the files.
        records: all trials of the study; or the reference, the trials that changed since the last
            call, and those of which that call kept files: then the time does not grow.
        keep: number of trials whose weights stay: the best complete trials by Δm, and the best
            paused trials per rung. ``"all"`` deletes only checkpoints of trials that are not
            paused.
        objectives: objectives by which paused trials are ranked and the Pareto front is found.
        confirmed: numbers of the trials that were trained on other seeds.

    Returns:
        Numbers of the trials whose weights or checkpoint stay and may be deleted later.
    """
    without_weights: Collection[int] = ()
    without_checkpoint = {record.number for record in records if _has_ended(record)}
    without_checkpoint |= _continued(records)
    if keep != "all":
        without_weights = [
            *_without_weights(records, keep, objectives, confirmed),
            *(record.number for record in records if record.state == "infeasible"),
        ]
        for number in without_weights:
            run.remove(run.weights(number))
        without_checkpoint |= _outranked(records, keep, objectives)
    for number in without_checkpoint:
        for file in run.trial(number).glob("checkpoint*.pt"):
            run.remove(file)
    return frozenset(
        record.number
        for record in records
        if record.number not in without_checkpoint
        or (keep != "all" and record.state == "complete" and record.number not in without_weights)
    )


def _has_ended(record: TrialRecord) -> bool:
    """Return whether no training continues from the checkpoint of a trial."""
    return record.state not in ("paused", "running", "interrupted")


def _continued(records: Sequence[TrialRecord]) -> set[int]:
    """Return the numbers of interrupted trials whose candidate another trial has.

    A running trial may not have taken over their checkpoint yet.
    """
    interrupted = [record for record in records if record.state == "interrupted"]
    if not interrupted:
        return set()
    taken = {
        record.candidate.digest
        for record in records
        if record.state not in ("interrupted", "running")
    }
    return {record.number for record in interrupted if record.candidate.digest in taken}


def _without_weights(
    records: Sequence[TrialRecord],
    keep: int,
    objectives: Sequence[Objective],
    confirmed: Collection[int],
) -> list[int]:
    """Return the numbers of complete trials below the best ``keep`` ones and off the front."""
    if reference_trial(records) is None:
        return []  # no trial can be ranked: another worker still trains the reference
    delta_by_number = deltas(records)
    ranked = sorted(
        (record for record in records if record.state == "complete" and record.baseline is None),
        key=lambda record: delta_by_number.get(record.number, float("-inf")),
        reverse=True,
    )
    # The best trial by its mean over seeds may rank low by a single seed.
    kept = set(confirmed)
    if len(objectives) > 1:
        kept |= {record.number for record in front_of(records, objectives)}
    return [record.number for record in ranked[keep:] if record.number not in kept]


def _outranked(
    records: Sequence[TrialRecord], keep: int, objectives: Sequence[Objective]
) -> set[int]:
    """Return the numbers of paused trials below the best ``keep`` ones of their rung."""
    by_epoch: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, rung_rank in rung_ranks(records, objectives).items():
        by_epoch[rung_rank.epoch].append((rung_rank.rank, number))
    return {number for ranked in by_epoch.values() for _, number in sorted(ranked)[keep:]}
