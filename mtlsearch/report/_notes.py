"""Notes below a leaderboard: marks, warnings, and why trials are not complete."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from mtlsearch.report._display_columns import best_row, metric_names
from mtlsearch.report._marks import (
    BEST,
    FRONT,
    NOISE,
    NOT_COUNTED,
    OVER_LIMITS,
    SATURATED,
    TIED,
    ZERO_CLASS,
)

FEW_IMAGES = 100
"""Number of validation images below which one image is more than a hundredth of a result."""

MIN_TRIALS = 4
"""Number of complete trials from which equal metrics are reported."""

MAX_CLASSES, MAX_TRIALS, MAX_GROUPS = 5, 3, 3
"""Number of classes at 0 and of trials that a note names, and of groups of equal trials."""

EQUAL = 1e-6
"""Largest relative difference of numbers that count as equal."""

_NEAR_BOUNDS = (
    (NOT_COUNTED, "not_counted", "Δm does not count all metrics"),
    (SATURATED, "saturated", "Δm counts only losses of a metric"),
    (NOISE, "is_noise", "Δm is noise"),
)
"""Mark, column and meaning of metrics near their bounds."""

_VERB_BY_STATE = {"complete": "", "failed": " failed", "interrupted": " was interrupted"}


def notes(frame: pd.DataFrame) -> list[str]:
    """Return the lines below a table."""
    marks = _marks(frame)
    lines = ["; ".join(marks)] if marks else []
    lines += frame.attrs.get("remarks", [])
    lines += _zero_classes(frame)
    lines += _few_images(frame)
    lines += _equal_metrics(frame)
    return [*lines, *_reasons(frame)]


def _reasons(frame: pd.DataFrame) -> list[str]:
    """Return why trials are not complete or have no Δm, and remarks on complete trials."""
    with_reason = frame[frame["reason"].fillna("").ne("")].sort_values("trial")
    columns = with_reason[["trial", "state", "delta_m", "reason"]]
    lines = []
    for number, state, delta, reason in columns.itertuples(index=False):
        verb = _VERB_BY_STATE.get(state, f" is {state}")
        if state == "complete" and pd.isna(delta):
            verb = " has no Δm"
        lines.append(f"trial {number}{verb}: {reason}")
    return lines


def _marks(frame: pd.DataFrame) -> list[str]:
    """Return the meaning of each mark in the table."""
    marks = []
    if best_row(frame) is not None:
        marks.append(f"{BEST} {_best(frame)}")
    if "tied_with_best" in frame and frame["tied_with_best"].any():
        marks.append(f"{TIED} differs from {BEST} by at most one standard error")
    if frame["pareto"].any():
        marks.append(f"{FRONT} {_front(frame)}")
    if "over_limits" in frame and frame["over_limits"].any():
        marks.append(f"{OVER_LIMITS} over the limits")
    for mark, name, meaning in _NEAR_BOUNDS:
        if name in frame and frame[name].fillna("").astype(bool).any():
            marks.append(f"{mark} {meaning}")
    if frame["delta_m"].notna().any():
        marks.append("Δm: mean relative change of all metrics against the independent baseline")
    if frame["expected_delta_m"].notna().any():
        marks.append("expected Δm: estimate ± standard deviation from all trainings of the run")
    if "delta_m_when_paused" in frame:
        marks.append("(Δm) at N: paused at epoch N, compared at that epoch, not ranked")
    return marks


def _best(frame: pd.DataFrame) -> str:
    """Return the meaning of the mark of the best trial."""
    if "delta_m_mean" in frame:
        return "highest mean Δm over seeds"
    is_expected = frame["expected_delta_m"].notna().any()
    return "highest expected Δm, the best plan of the verdict" if is_expected else "highest Δm"


def _front(frame: pd.DataFrame) -> str:
    """Return the meaning of the mark of the Pareto front."""
    names = frame.attrs.get("front", ["delta_m", "flops"])
    if names == ["delta_m", "flops"]:
        return "no trial has a higher Δm with fewer FLOPs"
    titles = [{"delta_m": "Δm", "flops": "FLOPs"}.get(name, name) for name in names]
    return f"no trial is better in all of {', '.join(titles)}"


def _zero_classes(frame: pd.DataFrame) -> list[str]:
    """Return, per task, the classes at 0 that the marked metrics hide."""
    shown = set(frame["trial"])
    num_complete = int(frame["state"].eq("complete").sum())
    lines = []
    for task, trials_by_class in frame.attrs.get("zero_classes", {}).items():
        classes_by_trials: dict[tuple[int, ...], list[str]] = {}
        for name, numbers in trials_by_class.items():
            if trials := tuple(number for number in numbers if number in shown):
                classes_by_trials.setdefault(trials, []).append(name)
        # The classes that most trials miss come first.
        groups = sorted(classes_by_trials.items(), key=lambda group: -len(group[0]))
        texts = [
            f"{_first(classes)} in {_trials(trials, num_complete)}"
            for trials, classes in groups[:MAX_GROUPS]
        ]
        if num_hidden := sum(len(classes) for _, classes in groups[MAX_GROUPS:]):
            texts.append(f"and {num_hidden} more in other trials")
        if texts:
            listed = "; ".join(texts)
            lines.append(f"{ZERO_CLASS} {task}, classes at 0: {listed} (--per-class {task})")
    return lines


def _first(names: Sequence[str]) -> str:
    num_more = len(names) - MAX_CLASSES
    return ", ".join(names[:MAX_CLASSES]) + (f" and {num_more} more" if num_more > 0 else "")


def _trials(trials: Sequence[int], num_complete: int) -> str:
    """Return ``all 6 trials``, ``4 of 6 trials`` or ``trials 0, 2``."""
    if len(trials) == num_complete > 1:
        return f"all {num_complete} trials"
    if len(trials) > MAX_TRIALS:
        return f"{len(trials)} of {num_complete} trials"
    return f"{'trial' if len(trials) == 1 else 'trials'} {', '.join(map(str, trials))}"


def _few_images(frame: pd.DataFrame) -> list[str]:
    """Return a warning about tasks with few labeled validation images."""
    tasks_by_count: dict[int, list[str]] = {}
    for task, count in frame.attrs.get("num_images", {}).items():
        tasks_by_count.setdefault(count, []).append(task)
    images = frame.attrs.get("val_images")
    if not tasks_by_count and images is not None:  # a run of an earlier version
        tasks_by_count = {images: []}
    few = [
        f"{_measured_on(tasks, count)}: one image is {100 / count:.1f} % of them."
        for count, tasks in sorted(tasks_by_count.items())
        if 0 < count < FEW_IMAGES
    ]
    if not few:
        return []
    if "delta_m_mean" not in frame:
        few.append("Raise `search.trials` for more plans and second seeds.")
    return [" ".join(few)]


def _equal_metrics(frame: pd.DataFrame) -> list[str]:
    """Return a warning per metric that is equal in all complete trials."""
    complete = frame.loc[frame["state"].eq("complete"), metric_names(frame)]
    if len(complete) < MIN_TRIALS:
        return []
    is_equal = complete.max() - complete.min() <= EQUAL * complete.abs().max()
    best_values = frame.attrs.get("best_values", {})
    return [
        _equal_metric(name, float(complete[name].mean()), len(complete), best_values.get(name))
        for name in complete.columns[is_equal]
    ]


def _equal_metric(name: str, value: float, num_trials: int, best: float | None) -> str:
    line = (
        f"{name} is {value:.3g} in all {num_trials} complete trials: it does not distinguish plans."
    )
    if best is not None and math.isclose(value, best, rel_tol=EQUAL, abs_tol=EQUAL):
        return f"{line} It is perfect on these validation images: add more difficult ones."
    return f"{line} The task may not have learned anything yet."


def _measured_on(tasks: Sequence[str], count: int) -> str:
    """Return ``boxes and scene are measured on 23 validation images``."""
    images = "1 validation image" if count == 1 else f"{count} validation images"
    if not tasks:
        return f"tasks are measured on at most {images}"
    names = " and ".join(filter(None, [", ".join(tasks[:-1]), tasks[-1]]))
    return f"{names} {'is' if len(tasks) == 1 else 'are'} measured on {images}"
