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
    name = _first_unmeasured_metric(record)
    if name is None:
        return "change the run file"
    return (
        f"{name} needs validation images with labels that it can be measured on: "
        "`mtlsearch check RUN.yaml` counts them. Add some (data.val_fraction) or leave the "
        "task out"
    )


def _first_unmeasured_metric(record: TrialRecord) -> str | None:
    return next(
        (
            f"{task}.{spec.name}"
            for task, result in sorted(record.results.items())
            for spec in result.specs
            if spec.in_delta_m and not math.isfinite(result.metrics.get(spec.name, math.nan))
        ),
        None,
    )
