"""What to do about a baseline that nothing can be compared with."""

from __future__ import annotations

import math

from mtlsearch.record import TrialRecord


def way_to_a_baseline(record: TrialRecord, told: str | None) -> str:
    """What would give the run an ``independent`` baseline, for people.

    Args:
        record: the failed baseline, with what was measured of it.
        told: what the error advises that ended it; None where there was none.
    """
    values = {
        f"{task}.{spec.name}": result.metrics.get(spec.name, math.nan)
        for task, result in record.results.items()
        for spec in result.specs
    }
    unknown = [name for name, value in values.items() if not math.isfinite(value)]
    zero = [name for name, value in values.items() if value == 0]
    if told:
        step = told
    elif unknown:
        step = (
            f"{unknown[0]} needs validation images with labels that it can be measured on: "
            "`mtlsearch check RUN.yaml` counts them; add some (data.val_fraction) or leave the "
            "task out"
        )
    elif zero:
        step = (
            f"train until {zero[0]} is above 0: more epochs, larger images (data.size), "
            "another learning rate or pretrained weights"
        )
    else:
        step = "change the run file"
    return f"{step}; then search in a new folder"
