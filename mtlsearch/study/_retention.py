"""Whose weights stay on disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Literal

from mtlsearch.results import DELTA_M, Objective, TrialRecord, deltas, rung_ranks
from mtlsearch.study._run_directory import RunDirectory


def prune_weights(
    run: RunDirectory,
    records: Sequence[TrialRecord],
    keep: Literal["all"] | int,
    objectives: Sequence[Objective] = (DELTA_M,),
    confirmed: Collection[int] = (),
) -> None:
    """Delete what is not kept: baselines' weights always are, and those of confirmed trials.

    Of the others, the weights of the best ``keep`` complete trials stay, and the checkpoints of
    the best ``keep`` of those that were stopped at each epoch. A trial that goes on without its
    checkpoint is trained anew. Checkpoints of trials that are not stopped serve nobody.
    """
    forgotten = {record.number for record in records if record.state != "paused"}
    if keep != "all":
        known = deltas(records)
        ranked = sorted(
            (
                record
                for record in records
                if record.state == "complete" and record.baseline is None
            ),
            key=lambda record: known.get(record.number, float("-inf")),
            reverse=True,
        )
        for record in ranked[keep:]:
            if record.number in confirmed:  # the best by mean may be among the last by one seed
                continue
            run.weights(record.number).unlink(missing_ok=True)
        forgotten |= _outranked(records, keep, objectives)
    for number in forgotten:
        for file in run.trial(number).glob("checkpoint*.pt"):
            file.unlink(missing_ok=True)


def _outranked(
    records: Sequence[TrialRecord], keep: int, objectives: Sequence[Objective]
) -> set[int]:
    """Numbers of stopped trials that ``keep`` others, stopped at the same epoch, are ahead of."""
    by_epoch: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, standing in rung_ranks(records, objectives).items():
        by_epoch[standing.epoch].append((standing.place, number))
    return {number for at in by_epoch.values() for _, number in sorted(at)[keep:]}
