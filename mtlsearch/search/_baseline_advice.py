"""Next steps after a failed baseline."""

from __future__ import annotations

import math

from mtlsearch.results import TrialRecord


def baseline_next_step(record: TrialRecord, advice: str | None) -> str:
    """Return what to change so that the ``independent`` baseline can be measured.

    Args:
        record: the failed baseline with its results.
        advice: next step of the error that ended the trial; None if it did not raise one.

    Returns:
        The next step of an error message.
    """
    return f"{advice or _metric_advice(record)}, then search in a new folder"


def _metric_advice(record: TrialRecord) -> str:
    unusable = _first_unusable_metric(record)
    if unusable is None:
        return "change the run file"
    name, value = unusable
    if value == 0:
        return (
            f"train until {name} is above 0: more epochs, larger images (data.image_size), another "
            "learning rate or pretrained weights"
        )
    return (
        f"{name} needs validation images with labels that it can be measured on: "
        "`mtlsearch check RUN.yaml` counts them. Add some (data.val_fraction) or leave the "
        "task out"
    )


def _first_unusable_metric(record: TrialRecord) -> tuple[str, float] | None:
    """Return the first metric that was not measured, else the first one that is 0."""
    metrics = [
        (f"{task}.{spec.name}", result.metrics.get(spec.name, math.nan))
        for task, result in sorted(record.results.items())
        for spec in result.specs
        if spec.in_delta_m
    ]
    unmeasured = [item for item in metrics if not math.isfinite(item[1])]
    return next(iter([*unmeasured, *(item for item in metrics if item[1] == 0)]), None)
