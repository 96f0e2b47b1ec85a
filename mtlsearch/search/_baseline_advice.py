"""What to do about a baseline that nothing can be compared with."""

from __future__ import annotations

import math

from mtlsearch.results import TrialRecord


def baseline_next_step(record: TrialRecord, told: str | None) -> str:
    """What would give the run an ``independent`` baseline, for people.

    Args:
        record: the failed baseline, with what was measured of it.
        told: what the error advises that ended it; None where there was none.
    """
    if told:
        step = told
    elif found := _first_unfit(record):
        name, value = found
        step = (
            f"train until {name} is above 0: more epochs, larger images (data.image_size), another "
            "learning rate or pretrained weights"
            if value == 0
            else f"{name} needs validation images with labels that it can be measured on: "
            "`mtlsearch check RUN.yaml` counts them; add some (data.val_fraction) or leave the "
            "task out"
        )
    else:
        step = "change the run file"
    return f"{step}; then search in a new folder"


def _first_unfit(record: TrialRecord) -> tuple[str, float] | None:
    """The metric of which no relative change can be told, in the order in which Δm looks."""
    measured = (
        (f"{task}.{spec.name}", result.metrics.get(spec.name, math.nan))
        for task, result in sorted(record.results.items())
        for spec in result.specs
    )
    return next((at for at in measured if at[1] == 0 or not math.isfinite(at[1])), None)
