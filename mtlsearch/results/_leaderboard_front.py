"""Trials that no other beats in all that is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtlsearch.results._delta_m import delta_m, reference_of
from mtlsearch.results._objective import COSTS, DELTA_M, Objective
from mtlsearch.results._pareto import pareto_front
from mtlsearch.results._result import TaskResult
from mtlsearch.results._trial import TrialRecord

FLOPS = Objective("flops", maximise=False)


def compared(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """What the front is of: the objectives, or Δm and FLOPs where Δm is all that is wanted."""
    return (DELTA_M, FLOPS) if tuple(objectives) == (DELTA_M,) else tuple(objectives)


def on_front(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> NDArray[np.bool_]:
    """Which trials are on the Pareto front, in their order.

    A trial is on it unless another has no less of anything that is wanted and more of
    something. Trials that are not complete, or of which an objective or Δm is undefined, are
    not; of equal ones all are.
    """
    reference = reference_of(records)
    gains = [_gains(record, objectives, reference) for record in records]
    found = np.array([at is not None for at in gains], dtype=bool)
    if found.any():
        found[found] = pareto_front(np.array([at for at in gains if at is not None]))
    return found


def _gains(
    record: TrialRecord, objectives: Sequence[Objective], reference: Mapping[str, TaskResult]
) -> list[float] | None:
    """A trial's numbers, of all of which more is better; None where it has no place."""
    if record.state != "complete" or delta_m(record.results, reference)[0] is None:
        return None
    gains = [objective.gain(record, record.results, reference) for objective in objectives]
    return gains if np.isfinite(gains).all() else None


def front_of(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> list[TrialRecord]:
    """The trials on the front, the cheapest first where a cost is among the objectives."""
    on = on_front(records, objectives)
    front = [record for record, there in zip(records, on, strict=True) if there]
    costs = [objective for objective in objectives if objective.name in COSTS]
    return sorted(front, key=lambda record: [-at.gain(record, record.results, {}) for at in costs])
