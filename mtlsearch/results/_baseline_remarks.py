"""Remarks on metrics near their bounds, for messages and for the notes of a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlsearch.results._delta_m import CountedMetrics, counted_metrics
from mtlsearch.results._result import TaskResult


def baseline_remarks(reference: Mapping[str, TaskResult]) -> list[str]:
    """Return which metrics Δm does not count or counts only as losses, and why.

    Args:
        reference: results of the ``independent`` trial by task.

    Returns:
        One sentence or two per kind; empty if the metrics are well inside their bounds.
    """
    counted = counted_metrics(reference)
    remarks = []
    if counted.is_noise and not counted.by_task and counted.not_counted:
        remarks.append(
            "all metrics of the independent baseline are 0, so Δm counts none and is 0 for every "
            "trial. Train for more epochs or add validation images."
        )
    elif counted.is_noise and counted.by_task:
        remarks.append(
            "no metric of the independent baseline exceeds its noise, so Δm is noise. Train for "
            "more epochs or add validation images."
        )
    elif counted.not_counted:
        remarks.append(
            f"Δm does not count {_with_values(counted.not_counted)}: the independent baseline is 0 "
            f"or within two standard errors of the worst value. {_counted_instead(counted)} Train "
            "for more epochs or add validation images."
        )
    if counted.saturated:
        remarks.append(
            f"Δm counts only losses of {_with_values(counted.saturated)}: the independent baseline "
            "is within its noise of the best value."
        )
    return remarks


def _counted_instead(counted: CountedMetrics) -> str:
    """Return which metrics of these tasks Δm counts, as a sentence."""
    tasks = dict.fromkeys(name.partition(".")[0] for name in counted.not_counted)
    names = [f"{task}.{spec.name}" for task in tasks for spec in counted.by_task.get(task, ())]
    return f"Of {_noun(len(tasks))}, it counts {_joined(names) if names else 'nothing'}."


def _noun(num_tasks: int) -> str:
    return "this task" if num_tasks == 1 else "these tasks"


def _with_values(value_by_metric: Mapping[str, float]) -> str:
    """Return ``boxes.mAP (0.002) and scene.f1 (0)``."""
    parts = [f"{name} ({value:.3g})" for name, value in value_by_metric.items()]
    return _joined(parts)


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
