"""Notes below a leaderboard: marks, warnings, and why trials are not complete."""

from __future__ import annotations

import pandas as pd

from mtlsearch.report._display_columns import best_row, metric_names
from mtlsearch.report._marks import BEST, FRONT, OVER_LIMITS, TIED

FEW_IMAGES = 100
"""Number of validation images below which one image is more than a point of accuracy."""

MIN_TRIALS = 4
"""Number of complete trials from which equal metrics are reported."""

EQUAL = 1e-6
"""Largest relative difference of numbers that count as equal."""

_VERB_BY_STATE = {"complete": "", "failed": " failed", "interrupted": " was interrupted"}


def notes(frame: pd.DataFrame) -> list[str]:
    """Return the lines below a table."""
    marks = _marks(frame)
    lines = ["; ".join(marks)] if marks else []
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
        marks.append(f"{BEST} highest {'mean Δm over seeds' if 'delta_m_mean' in frame else 'Δm'}")
    if "tied_with_best" in frame and frame["tied_with_best"].any():
        marks.append(f"{TIED} differs from {BEST} by at most one standard error")
    if frame["pareto"].any():
        marks.append(f"{FRONT} {_front(frame)}")
    if "over_limits" in frame and frame["over_limits"].any():
        marks.append(f"{OVER_LIMITS} over the limits")
    if frame["delta_m"].notna().any():
        marks.append("Δm: mean relative change of all metrics against the independent baseline")
    if "delta_m_when_paused" in frame:
        marks.append("(Δm) at N: paused at epoch N, compared at that epoch, not ranked")
    return marks


def _front(frame: pd.DataFrame) -> str:
    """Return the meaning of the mark of the Pareto front."""
    names = frame.attrs.get("front", ["delta_m", "flops"])
    if names == ["delta_m", "flops"]:
        return "no trial has a higher Δm with fewer FLOPs"
    titles = [{"delta_m": "Δm", "flops": "FLOPs"}.get(name, name) for name in names]
    return f"no trial is better in all of {', '.join(titles)}"


def _few_images(frame: pd.DataFrame) -> list[str]:
    """Return a warning about a small validation split."""
    images = frame.attrs.get("val_images")
    if images is None or images >= FEW_IMAGES:
        return []
    noun = "image" if images == 1 else "images"
    line = f"val has {images} {noun}: one image = {100 / images:.1f} points of accuracy."
    if "delta_m_mean" in frame:
        return [line]
    return [f"{line} Set `search.confirm` to check significance."]


def _equal_metrics(frame: pd.DataFrame) -> list[str]:
    """Return a warning per metric that is equal in all complete trials."""
    complete = frame.loc[frame["state"].eq("complete"), metric_names(frame)]
    if len(complete) < MIN_TRIALS:
        return []
    is_equal = complete.max() - complete.min() <= EQUAL * complete.abs().max()
    return [
        f"{name} is {complete[name].mean():.3g} in all {len(complete)} complete trials: it does "
        "not distinguish plans. The task may not have learned anything yet."
        for name in complete.columns[is_equal]
    ]
