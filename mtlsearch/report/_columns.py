"""A leaderboard as columns of short texts, what says nothing left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from mtlsearch.report import _formatting as quantity

BEST = "★"
FRONT = "◆"
OVER = "✗"
TIE = "≈"
FEW = 100
"""With fewer validation images each is worth more than a point of accuracy."""

ENOUGH = 4
"""Fewer trials may well measure the same by chance."""

ALIKE = 1e-6
"""Numbers whose relative difference is at most this are one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        title: its heading.
        cells: one text a row.
        number: whether it is aligned to the right.
        folds: whether a long text may take several lines.
    """

    title: str
    cells: list[str]
    number: bool = False
    folds: bool = False


def best_row(frame: pd.DataFrame) -> int | None:
    """The position of the run's best trial; None where there is none, or its row was cut."""
    best = frame.attrs.get("best")
    found = frame["trial"].eq(-1 if best is None else best)
    return int(found.argmax()) if found.any() else None


def cells(frame: pd.DataFrame) -> list[Column]:
    """The columns worth showing, for a table or Markdown.

    Left out is what all trials have alike of backbone, learning rate, loss weights and the
    like. Why a trial is not complete is told below the table, by :func:`notes`.
    """
    columns = [
        Column("trial", _trials(frame), number=True),
        Column("state", quantity.format_text(frame["state"])),
        Column("Δm %", _deltas(frame), number=True),
        *(Column(name, quantity.measures(frame[name]), number=True) for name in metrics(frame)),
        Column("params", quantity.counts(frame["params"]), number=True),
        Column("FLOPs", quantity.counts(frame["flops"]), number=True),
        Column("time", quantity.durations(frame["seconds"]), number=True),
    ]
    if "delta_m_mean" in frame:
        over_seeds = Column("Δm over seeds", _over_seeds(frame), number=True)
        columns.insert(3, over_seeds)
    if "latency_ms" in frame:
        cell = quantity.milliseconds(frame["latency_ms"])
        columns.insert(-1, Column("latency", cell, number=True))
    for name, title, text in _VARYING:
        if name in frame and frame[name].nunique(dropna=False) > 1:
            numbers = name in ("loss_weights", "learning_rate")
            columns.append(Column(title, text(frame[name]), number=numbers))
    return [*columns, Column("plan", _plans(frame), folds=True)]


def metrics(frame: pd.DataFrame) -> list[str]:
    """The ``task.metric`` columns."""
    return [str(name) for name in frame.columns if "." in str(name)]


def notes(frame: pd.DataFrame) -> list[str]:
    """What stands below the table: what its marks mean, and why trials are not complete."""
    marks = []
    if best_row(frame) is not None:
        marks.append(f"{BEST} highest {'mean Δm over seeds' if 'mean' in frame else 'Δm'}")
    if "tied_with_best" in frame and frame["tied_with_best"].any():
        marks.append(f"{TIE} within one standard error of the difference from it")
    if frame["pareto"].any():
        marks.append(f"{FRONT} {_front(frame)}")
    if "over_limits" in frame and frame["over_limits"].any():
        marks.append(f"{OVER} over budget")
    if frame["delta_m"].notna().any():
        marks.append(
            "Δm: change against the independent baseline, mean over tasks, "
            "within a task over all its metrics"
        )
    if "delta_m_when_paused" in frame:
        marks.append("(Δm) at N: stopped at epoch N, both measured there; not ranked")
    lines = ["; ".join(marks)] if marks else []
    lines += _few_images(frame)
    lines += _alike(frame)
    atomic_write = frame[frame["reason"].fillna("").ne("")].sort_values("trial")
    for number, state, reason in atomic_write[["trial", "state", "reason"]].itertuples(index=False):
        lines.append(f"trial {number} {_verb(state)}: {reason}")
    return lines


def _few_images(frame: pd.DataFrame) -> list[str]:
    """How coarse the metrics of a small validation split are."""
    images = frame.attrs.get("val_images")
    if images is None or images >= FEW:
        return []
    worth = f"one more or less right is {100 / images:.1f} points of accuracy"
    advice = "" if "delta_m_mean" in frame else "; search.confirm tells chance from gain"
    return [f"validation has {images} image{'s' * (images > 1)}: {worth}{advice}"]


def _alike(frame: pd.DataFrame) -> list[str]:
    """Metrics that no plan has changed."""
    found = frame.loc[frame["state"].eq("complete"), metrics(frame)]
    if len(found) < ENOUGH:
        return []
    alike = found.max() - found.min() <= ALIKE * found.abs().max()
    return [
        f"{name} is {found[name].mean():.3g} in all {len(found)} complete trials here, which says "
        "nothing of plans; a task that has learned nothing yet looks like that"
        for name in found.columns[alike]
    ]


_VARYING: tuple[tuple[str, str, Callable[[pd.Series], list[str]]], ...] = (
    ("loss_weights", "loss weights", quantity.weights),
    ("learning_rate", "rate", quantity.format_rate),
    ("backbone", "backbone", quantity.format_text),
    ("balancer", "balancer", quantity.format_text),
    ("distillation", "distillation", quantity.format_named),
    ("attention", "attention", quantity.format_bool),
)


def _verb(state: str) -> str:
    """``failed``, but ``was interrupted``; a complete trial has no Δm where it has a note."""
    return {"complete": "has no Δm", "failed": "failed"}.get(state, f"was {state}")


def _trials(frame: pd.DataFrame) -> list[str]:
    best = best_row(frame)
    shown = [(TIE, "tied_with_best"), (FRONT, "pareto"), (OVER, "over_limits")]
    marks = [BEST if at == best else "" for at in range(len(frame))]
    for mark, column in shown:
        if column in frame:
            marks = [old + mark * new for old, new in zip(marks, frame[column], strict=True)]
    return [f"{mark} {number}".strip() for mark, number in zip(marks, frame["trial"], strict=True)]


def _over_seeds(frame: pd.DataFrame) -> list[str]:
    """``+1.20 ± 0.31``: mean and standard error."""
    return [
        quantity.MISSING if pd.isna(mean) else f"{mean:+.2f} ± {error:.2f}"
        for mean, error in zip(frame["delta_m_mean"], frame["delta_m_stderr"], strict=True)
    ]


def _deltas(frame: pd.DataFrame) -> list[str]:
    """Δm; of a trial that was stopped early, in brackets, that at the epoch where it stopped."""
    found = quantity.percents(frame["delta_m"])
    if "delta_m_when_paused" not in frame:
        return found
    there = quantity.percents(frame["delta_m_when_paused"])
    return [
        f"({then}) at {epoch}" if then else text
        for text, then, epoch in zip(found, there, frame["epochs"], strict=True)
    ]


def _front(frame: pd.DataFrame) -> str:
    """What being on the front means."""
    names = frame.attrs.get("front", ["delta_m", "flops"])
    if names == ["delta_m", "flops"]:
        return "no trial has a higher Δm for fewer FLOPs"
    shown = [{"delta_m": "Δm", "flops": "FLOPs"}.get(name, name) for name in names]
    return f"no trial is better in all of {', '.join(shown)}"


def _plans(frame: pd.DataFrame) -> list[str]:
    return [
        plan if pd.isna(baseline) else f"{plan} (baseline)"
        for plan, baseline in zip(frame["plan"], frame["baseline"].astype(object), strict=True)
    ]
