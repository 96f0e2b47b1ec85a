"""Table of the leaderboard's columns. A new column is one entry of ``COLUMNS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mtlsearch.results._rung_ranking import RungRank
from mtlsearch.results._seed_statistics import SeedStatistics
from mtlsearch.results._trial import TrialRecord

DType = Literal["int64", "float64", "bool", "str"]
Value = Any
"""Cell of a column: a number, a boolean, a text or None."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one trial that the columns show.

    Attributes:
        record: the trial.
        delta_m: Δm in percent; None if undefined.
        undefined_because: why Δm of a complete trial is undefined; empty if it is defined.
        statistics: Δm over seeds; None if the trial is not confirmed.
        rung_rank: rank of a paused trial at its rung; None for other trials.
        is_on_front: whether the trial is on the Pareto front.
    """

    record: TrialRecord
    delta_m: float | None
    undefined_because: str
    statistics: SeedStatistics | None
    rung_rank: RungRank | None
    is_on_front: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the leaderboard.

    Attributes:
        name: name of the column, also for ``--sort``.
        dtype: pandas type. None becomes NaN in ``float64`` and a missing value in ``str``.
        value: function from a row to its cell.
        is_shown: function from all rows to whether the column is included.
        is_descending: whether sorting puts high values first.
    """

    name: str
    dtype: DType
    value: Callable[[Row], Value]
    is_shown: Callable[[Sequence[Row]], bool] = lambda rows: True
    is_descending: bool = False


def _is_confirmed(rows: Sequence[Row]) -> bool:
    return any(row.statistics is not None for row in rows)


def _is_any_paused(rows: Sequence[Row]) -> bool:
    return any(row.rung_rank is not None for row in rows)


def _is_any_over_limits(rows: Sequence[Row]) -> bool:
    return any(row.record.over_limits for row in rows)


def _is_latency_measured(rows: Sequence[Row]) -> bool:
    return any(row.record.latency is not None for row in rows)


def _if_varied(value: Callable[[Row], Value]) -> Callable[[Sequence[Row]], bool]:
    return lambda rows: len({value(row) for row in rows}) > 1


def _balancer(row: Row) -> str:
    return row.record.candidate.balancer


def _distillation(row: Row) -> str:
    distillation = row.record.candidate.distillation
    return "none" if distillation is None else str(distillation)


def _attention(row: Row) -> bool:
    return row.record.candidate.attention


def _loss_weights(row: Row) -> str | None:
    """Return ``boxes=1.0, scene=0.25`` with all digits, so that a CSV loses nothing."""
    weights: Mapping[str, float] | None = row.record.candidate.loss_weights
    if weights is None:
        return None
    return ", ".join(f"{task}={weight!r}" for task, weight in weights.items())


def _reason(row: Row) -> str:
    reason = row.record.reason if row.rung_rank is None else str(row.rung_rank)
    return reason or row.undefined_because or row.record.note


COLUMNS_BEFORE_METRICS = (
    Column("trial", "int64", lambda row: row.record.number),
    Column("state", "str", lambda row: row.record.state),
    Column("baseline", "str", lambda row: row.record.baseline),
    Column("delta_m", "float64", lambda row: row.delta_m, is_descending=True),
)
COLUMNS_AFTER_METRICS = (
    Column(
        "delta_m_mean",
        "float64",
        lambda row: row.statistics and row.statistics.mean,
        _is_confirmed,
        is_descending=True,
    ),
    Column(
        "delta_m_stderr",
        "float64",
        lambda row: row.statistics and row.statistics.stderr,
        _is_confirmed,
    ),
    Column(
        "num_seeds",
        "float64",
        lambda row: row.statistics and row.statistics.num_seeds,
        _is_confirmed,
    ),
    Column(
        "tied_with_best",
        "bool",
        lambda row: row.statistics is not None and row.statistics.tied_with_best,
        _is_confirmed,
    ),
    Column("params", "int64", lambda row: row.record.parameters),
    Column("flops", "int64", lambda row: row.record.flops),
    Column(
        "latency_ms",
        "float64",
        lambda row: row.record.latency and row.record.latency.ms,
        _is_latency_measured,
    ),
    Column(
        "latency_batch",
        "float64",
        lambda row: row.record.latency and row.record.latency.batch,
        _is_latency_measured,
    ),
    Column(
        "latency_batch_ms",
        "float64",
        lambda row: row.record.latency and row.record.latency.batch_ms,
        _is_latency_measured,
    ),
    Column("over_limits", "bool", lambda row: bool(row.record.over_limits), _is_any_over_limits),
    Column("seconds", "float64", lambda row: row.record.seconds),
    Column("epochs", "int64", lambda row: row.record.epochs, _is_any_paused),
    Column(
        "delta_m_when_paused",
        "float64",
        lambda row: row.rung_rank and row.rung_rank.delta_m,
        _is_any_paused,
    ),
    Column("plan", "str", lambda row: row.record.plan),
    Column("loss_weights", "str", _loss_weights),
    Column("learning_rate", "float64", lambda row: row.record.candidate.learning_rate),
    Column("backbone", "str", lambda row: row.record.candidate.backbone),
    Column("balancer", "str", _balancer, _if_varied(_balancer)),
    Column("distillation", "str", _distillation, _if_varied(_distillation)),
    Column("attention", "bool", _attention, _if_varied(_attention)),
    Column("pareto", "bool", lambda row: row.is_on_front, is_descending=True),
    Column("reason", "str", _reason),
)
COLUMNS = (*COLUMNS_BEFORE_METRICS, *COLUMNS_AFTER_METRICS)
"""All columns in order; one column per metric follows ``delta_m``."""
