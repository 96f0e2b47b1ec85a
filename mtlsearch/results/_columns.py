"""Table of the leaderboard's columns. A new column is one entry of :data:`COLUMNS`.

* CSV, JSON and the data frame contain every column of this table.
* A table and Markdown show the entries of ``mtlsearch/report/_display_columns.py``.
* ``_metric_columns.py`` adds the columns ``task.metric``, after those with ``is_before_metrics``.
* ``make docs`` writes the descriptions to the table of columns in ``docs/search.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mtlsearch.results._delta_m import CountedMetrics
from mtlsearch.results._expectation import Expectation
from mtlsearch.results._rung_ranking import RungRank
from mtlsearch.results._seed_statistics import SeedStatistics
from mtlsearch.results._trial import TrialRecord

DType = Literal["int64", "float64", "bool", "str"]
Value = Any
"""Cell of a column: a number, a boolean, a text or None."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one trial that the columns contain.

    Attributes:
        record: the trial.
        delta_m: Δm in percent; None if undefined.
        undefined_because: why Δm of a complete trial is undefined; empty if it is defined.
        statistics: Δm over seeds; None if the trial is not confirmed.
        rung_rank: rank of a paused trial at its rung; None for other trials.
        is_on_front: whether the trial is on the Pareto front.
        counted: the metrics that Δm counts, of a paused trial at its rung; None without Δm.
        delta_m_error: standard error of Δm over validation images, in percent; None if unknown or
            not requested.
        expectation: expected Δm; None if the trial is not complete or the study has no verdict.
    """

    record: TrialRecord
    delta_m: float | None
    undefined_because: str
    statistics: SeedStatistics | None
    rung_rank: RungRank | None
    is_on_front: bool
    counted: CountedMetrics | None = None
    delta_m_error: float | None = None
    expectation: Expectation | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a leaderboard, by which conditions decide.

    Attributes:
        rows: one row per trial, without ``top``.
        all_metrics: whether all metrics are requested (``--all-metrics``).
        with_errors: whether standard errors are requested (``--errors``).
    """

    rows: Sequence[Row]
    all_metrics: bool = False
    with_errors: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """When a leaderboard includes a column.

    Attributes:
        description: the condition in words, such as ``if a trial is paused``.
        holds: function from all rows to whether the column is included.
    """

    description: str
    holds: Callable[[Rows], bool]


ALWAYS = Condition("always", lambda rows: True)
IF_ERRORS = Condition("with `--errors`", lambda rows: rows.with_errors)
IF_CONFIRMED = Condition(
    "if trials are confirmed",
    lambda rows: any(row.statistics is not None for row in rows.rows),
)
IF_PAUSED = Condition(
    "if a trial is paused", lambda rows: any(row.rung_rank is not None for row in rows.rows)
)
IF_OVER_LIMITS = Condition(
    "if a trial is over the limits", lambda rows: any(row.record.over_limits for row in rows.rows)
)
IF_LATENCY = Condition(
    "if latency is measured", lambda rows: any(row.record.latency is not None for row in rows.rows)
)
IF_NOT_COUNTED = Condition(
    "if Δm does not count a metric", lambda rows: any(_not_counted(row) for row in rows.rows)
)
IF_SATURATED = Condition(
    "if a metric is saturated", lambda rows: any(_saturated(row) for row in rows.rows)
)
IF_COMPRESSED = Condition(
    "if a trial is compressed",
    lambda rows: any(row.record.compression is not None for row in rows.rows),
)
IF_EXTENDED = Condition(
    "if a network in use is extended",
    lambda rows: any(row.record.kept is not None for row in rows.rows),
)
IF_TUNED = Condition(
    "with `--unfreeze`",
    lambda rows: any(row.record.kept is not None and row.record.kept.drops for row in rows.rows),
)
IF_NOISE = Condition("if Δm is noise", lambda rows: any(_is_noise(row) for row in rows.rows))


def if_varied(value: Callable[[Row], Value]) -> Condition:
    """Return the condition that trials differ in a value."""
    return Condition("if trials differ", lambda rows: len({value(row) for row in rows.rows}) > 1)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the leaderboard.

    Attributes:
        name: name of the column, also for ``--sort``.
        dtype: pandas type. None becomes NaN in ``float64`` and a missing value in ``str``.
        value: function from a row to its cell.
        description: contents of the column, for ``docs/search.md``.
        included: when the leaderboard includes the column.
        is_descending: whether sorting puts high values first.
        is_before_metrics: whether the column precedes the columns ``task.metric``.
    """

    name: str
    dtype: DType
    value: Callable[[Row], Value]
    description: str
    included: Condition = ALWAYS
    is_descending: bool = False
    is_before_metrics: bool = False


def _not_counted(row: Row) -> str:
    return "" if row.counted is None else ", ".join(row.counted.not_counted)


def _saturated(row: Row) -> str:
    return "" if row.counted is None else ", ".join(row.counted.saturated)


def _is_noise(row: Row) -> bool:
    return row.counted is not None and row.counted.is_noise


def _num_seeds(row: Row) -> int | None:
    counted = row.statistics or row.expectation
    return None if counted is None else counted.num_seeds


def _balancer(row: Row) -> str:
    return row.record.candidate.balancer


def _distillation(row: Row) -> str:
    distillation = row.record.candidate.distillation
    return "none" if distillation is None else str(distillation)


def _attention(row: Row) -> bool:
    return row.record.candidate.attention


def _compression(row: Row) -> str | None:
    return None if row.record.compression is None else str(row.record.compression)


def _parent(row: Row) -> int | None:
    return None if row.record.compression is None else row.record.compression.parent


def _added_params(row: Row) -> int | None:
    kept = row.record.kept
    return None if kept is None else row.record.parameters - kept.parameters


def _added_flops(row: Row) -> int | None:
    kept = row.record.kept
    return None if kept is None else row.record.flops - kept.flops


def _added_latency(row: Row) -> float | None:
    kept, latency = row.record.kept, row.record.latency
    if kept is None or kept.latency_ms is None or latency is None:
        return None
    return latency.ms - kept.latency_ms


def _drop(row: Row) -> float | None:
    kept = row.record.kept
    return None if kept is None else max(kept.drops.values(), default=None)


def _loss_weights(row: Row) -> str | None:
    """Return ``boxes=1.0, scene=0.25`` with all digits, so that a CSV loses nothing."""
    weights: Mapping[str, float] | None = row.record.candidate.loss_weights
    if weights is None:
        return None
    return ", ".join(f"{task}={weight!r}" for task, weight in weights.items())


def _reason(row: Row) -> str:
    reason = row.record.reason if row.rung_rank is None else str(row.rung_rank)
    return reason or row.undefined_because or row.record.note


COLUMNS: tuple[Column, ...] = (
    Column(
        "trial",
        "int64",
        lambda row: row.record.number,
        "number of the trial, from 0",
        is_before_metrics=True,
    ),
    Column(
        "state",
        "str",
        lambda row: row.record.state,
        "trial state: `complete`, `running`, `paused`, `interrupted`, `infeasible` or `failed`",
        is_before_metrics=True,
    ),
    Column(
        "baseline",
        "str",
        lambda row: row.record.baseline,
        "`independent` or `hard`; empty for a proposed candidate",
        is_before_metrics=True,
    ),
    Column(
        "delta_m",
        "float64",
        lambda row: row.delta_m,
        "Δm in percent against `independent`; empty unless complete",
        is_descending=True,
        is_before_metrics=True,
    ),
    Column(
        "delta_m_error",
        "float64",
        lambda row: row.delta_m_error,
        "standard error of `delta_m` over validation images, in percent",
        IF_ERRORS,
        is_before_metrics=True,
    ),
    Column(
        "expected_delta_m",
        "float64",
        lambda row: row.expectation and row.expectation.mean,
        "expected Δm in percent, given all trainings of the run; empty without a verdict",
        is_descending=True,
        is_before_metrics=True,
    ),
    Column(
        "expected_delta_m_sd",
        "float64",
        lambda row: row.expectation and row.expectation.deviation,
        "standard deviation of `expected_delta_m`",
        is_before_metrics=True,
    ),
    Column(
        "beats_independent",
        "float64",
        lambda row: row.expectation and row.expectation.beats_independent,
        "probability that the plan is better than `independent`, from 0 to 1; empty for itself",
        is_descending=True,
        is_before_metrics=True,
    ),
    Column(
        "beats_hard",
        "float64",
        lambda row: row.expectation and row.expectation.beats_hard,
        "probability that the plan is better than `hard`, from 0 to 1; empty for itself",
        is_descending=True,
        is_before_metrics=True,
    ),
    Column(
        "delta_m_mean",
        "float64",
        lambda row: row.statistics and row.statistics.mean,
        "mean of Δm over seeds, in percent",
        IF_CONFIRMED,
        is_descending=True,
    ),
    Column(
        "delta_m_stderr",
        "float64",
        lambda row: row.statistics and row.statistics.stderr,
        "standard error of `delta_m_mean`",
        IF_CONFIRMED,
    ),
    Column(
        "num_seeds",
        "float64",
        _num_seeds,
        "number of trainings of the plan, each with another seed, behind `expected_delta_m` or "
        "`delta_m_mean`",
    ),
    Column(
        "tied_with_best",
        "bool",
        lambda row: row.statistics is not None and row.statistics.tied_with_best,
        "whether the trial differs from the best one by at most one standard error",
        IF_CONFIRMED,
    ),
    Column(
        "params",
        "int64",
        lambda row: row.record.parameters,
        "parameters of the network, heads included",
    ),
    Column(
        "flops",
        "int64",
        lambda row: row.record.flops,
        "FLOPs for one image, two per multiply-add, heads included",
    ),
    Column(
        "added_params",
        "float64",
        _added_params,
        "parameters that the network has more than the network in use",
        IF_EXTENDED,
    ),
    Column(
        "added_flops",
        "float64",
        _added_flops,
        "FLOPs for one image that the network has more than the network in use",
        IF_EXTENDED,
    ),
    Column(
        "added_latency_ms",
        "float64",
        _added_latency,
        "latency of one image in milliseconds that the network has more than the network in use; "
        "empty unless both are measured",
        IF_EXTENDED,
    ),
    Column(
        "drop",
        "float64",
        _drop,
        "largest drop of the primary metric of a task of the network in use, in percent; empty if "
        "none of its units is tuned",
        IF_TUNED,
    ),
    Column(
        "latency_ms",
        "float64",
        lambda row: row.record.latency and row.record.latency.ms,
        "latency of one image in milliseconds",
        IF_LATENCY,
    ),
    Column(
        "latency_batch",
        "float64",
        lambda row: row.record.latency and row.record.latency.batch,
        "number of images of `latency_batch_ms`",
        IF_LATENCY,
    ),
    Column(
        "latency_batch_ms",
        "float64",
        lambda row: row.record.latency and row.record.latency.batch_ms,
        "latency of a batch in milliseconds",
        IF_LATENCY,
    ),
    Column(
        "over_limits",
        "bool",
        lambda row: bool(row.record.over_limits),
        "whether the network exceeds a limit; such a trial is never the best",
        IF_OVER_LIMITS,
    ),
    Column(
        "seconds",
        "float64",
        lambda row: row.record.seconds or None,
        "wall time of training and evaluation; a resumed trial adds to it; empty if the process "
        "was killed",
    ),
    Column(
        "epochs",
        "int64",
        lambda row: row.record.epochs,
        "number of epochs with results; 0 if the trial failed before the first rung",
        IF_PAUSED,
    ),
    Column(
        "delta_m_when_paused",
        "float64",
        lambda row: row.rung_rank and row.rung_rank.delta_m,
        "Δm of a paused trial against `independent` at the same epoch; not ranked",
        IF_PAUSED,
    ),
    Column("plan", "str", lambda row: row.record.plan, "sharing plan"),
    Column(
        "loss_weights",
        "str",
        _loss_weights,
        "loss weight per task; empty for `loss_weights: equal`",
    ),
    Column("learning_rate", "float64", lambda row: row.record.learning_rate, "learning rate"),
    Column("backbone", "str", lambda row: row.record.candidate.backbone, "timm model"),
    Column("balancer", "str", _balancer, "balancer of tasks that share", if_varied(_balancer)),
    Column(
        "distillation",
        "str",
        _distillation,
        "target and weight of the distillation, or `none`",
        if_varied(_distillation),
    ),
    Column(
        "attention",
        "bool",
        _attention,
        "whether tasks that share have attention gates",
        if_varied(_attention),
    ),
    Column(
        "pareto",
        "bool",
        lambda row: row.is_on_front,
        "whether no other trial dominates this one in the objectives, or in Δm and FLOPs if Δm is "
        "the only objective",
        is_descending=True,
    ),
    Column(
        "parent",
        "float64",
        _parent,
        "of a compressed trial, the trial from whose network it was made",
        IF_COMPRESSED,
    ),
    Column(
        "compression",
        "str",
        _compression,
        "how a compressed trial was made; empty for other trials",
        IF_COMPRESSED,
    ),
    Column(
        "not_counted",
        "str",
        _not_counted,
        "metrics that Δm does not count: the baseline is near the worst value",
        IF_NOT_COUNTED,
    ),
    Column(
        "is_noise",
        "bool",
        _is_noise,
        "whether Δm is noise, since no metric of the baseline exceeds its noise",
        IF_NOISE,
    ),
    Column(
        "saturated",
        "str",
        _saturated,
        "metrics of which Δm counts losses only: the baseline is near the best value",
        IF_SATURATED,
    ),
    Column(
        "reason", "str", _reason, "why the trial is not complete or has no Δm, or a remark on it"
    ),
)
"""All columns in order, without the columns ``task.metric``."""

HEADINGS: Mapping[str, str] = {
    "Δm": "delta_m",
    "Δm %": "delta_m",
    "expected Δm %": "expected_delta_m",
    "expected Δm": "expected_delta_m",
    "beats hard": "beats_hard",
    "seeds": "num_seeds",
    "Δm over seeds": "delta_m_mean",
    "parameters": "params",
    "FLOPs": "flops",
    "added params": "added_params",
    "added FLOPs": "added_flops",
    "drop %": "drop",
    "added latency": "added_latency_ms",
    "latency": "latency_ms",
    "time": "seconds",
    "loss weights": "loss_weights",
    "rate": "learning_rate",
}
"""Headings of tables that are not names of columns -> column, for ``--sort``."""
