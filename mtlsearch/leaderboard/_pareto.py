"""Trials that no other beats in all that is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtlsearch.record import (
    COSTS,
    DELTA_M,
    Objective,
    TrialRecord,
    delta_m,
    objective_values,
    pareto_front,
    reference_of,
)

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
    found = np.zeros(len(records), dtype=bool)
    reference = reference_of(records)
    known = [
        at
        for at, record in enumerate(records)
        if record.state == "complete"
        and delta_m(record.results, reference)[0] is not None
        and objective_values(record, records, objectives) is not None
    ]
    if known:
        gains = [
            [at.gain(records[place], records[place].results, reference) for at in objectives]
            for place in known
        ]
        found[known] = pareto_front(np.array(gains))
    return found


def front_of(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> list[TrialRecord]:
    """The trials on the front, the cheapest first where a cost is among the objectives."""
    on = on_front(records, objectives)
    front = [record for record, there in zip(records, on, strict=True) if there]
    costs = [objective for objective in objectives if objective.name in COSTS]
    return sorted(front, key=lambda record: [-at.gain(record, record.results, {}) for at in costs])
