"""The leaderboard itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from mtlsearch.errors import ConfigError, did_you_mean
from mtlsearch.results._columns import metric_columns, metric_value
from mtlsearch.results._delta_m import delta_m, reference_of
from mtlsearch.results._leaderboard_front import compared, on_front
from mtlsearch.results._objective import DELTA_M, Objective
from mtlsearch.results._result import TaskResult
from mtlsearch.results._rung_ranking import RungRank, rung_ranks
from mtlsearch.results._seed_statistics import SeedStatistics
from mtlsearch.results._trial import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

DTYPES = {
    "trial": "int64",
    "state": "str",
    "baseline": "str",
    "delta_m": "float64",
    "delta_m_mean": "float64",
    "delta_m_stderr": "float64",
    "num_seeds": "float64",
    "tied_with_best": "bool",
    "params": "int64",
    "flops": "int64",
    "latency_ms": "float64",
    "latency_batch": "float64",
    "latency_batch_ms": "float64",
    "over_limits": "bool",
    "seconds": "float64",
    "epochs": "int64",
    "delta_m_when_paused": "float64",
    "plan": "str",
    "loss_weights": "str",
    "learning_rate": "float64",
    "backbone": "str",
    "balancer": "str",
    "distillation": "str",
    "attention": "bool",
    "pareto": "bool",
    "reason": "str",
}
SHOWN_WHERE_THEY_DIFFER = ("balancer", "distillation", "attention")
STATES = ("complete", "running", "paused", "interrupted", "infeasible", "failed")
"""In this order trials without a Δm stand below those with one."""


def leaderboard(
    records: Iterable[TrialRecord],
    *,
    objectives: Sequence[Objective] = (DELTA_M,),
    sort: str = "delta_m",
    top: int | None = None,
    all_metrics: bool = False,
    confirmed: Mapping[int, SeedStatistics] = MappingProxyType({}),
) -> pd.DataFrame:
    """Every trial in one row, the best first.

    Columns: ``trial``, ``state``, ``role`` (``independent`` and ``hard`` are the
    baselines), ``delta_m`` in percent, one ``task.metric`` a task, ``params``, ``flops`` of
    one image, ``latency_ms`` of one image and ``latency_batch_ms`` of a batch of
    ``latency_batch`` where they were measured, ``over_budget`` where any trial is,
    ``seconds``, ``plan``, ``loss_weights``, ``learning_rate``, ``backbone``,
    ``balance``, ``knowledge`` and ``attention`` where trials differ in them, ``pareto`` (not
    beaten by any other in what is wanted, or in Δm and FLOPs where that is Δm alone) and
    ``why`` a trial is not complete, or what there is to know of one that is. Where
    trials were stopped early, ``epochs`` and ``delta_m_stopped``: Δm against the
    ``independent`` trial after as many epochs. It ranks nothing: those trials stand below the
    complete ones.

    Args:
        records: the trials of one run.
        objectives: what is wanted.
        sort: a column, or any metric, which gets a column then; numbers of which more is
            better fall, all others rise. Whatever it is, rows that lack it are last.
        top: keep only so many rows; ``pareto``, ``ties`` and ``attrs["best"]``, the trial with
            the highest Δm within the budget (the highest ``mean`` where trials were
            confirmed), are of the whole run all the same.
        all_metrics: a column for every metric, not each task's primary one alone.
        confirmed: what several seeds say of trials, by number. They come first then, by
            ``mean`` of Δm over ``seeds``, with its standard ``error``; ``ties`` marks those
            that cannot be told from the best.

    Raises:
        ConfigError: there is no such column to sort by, or ``top`` is below 1.
    """
    trials = list(records)
    metrics = metric_columns(trials, all_metrics=all_metrics, wanted=sort)
    reference = reference_of(trials)
    stopped = rung_ranks(trials, objectives)
    rows = [
        _row(trial, list(metrics), reference, confirmed, stopped.get(trial.number))
        for trial in trials
    ]
    frame = _typed(rows, list(metrics))
    alike = [column for column in SHOWN_WHERE_THEY_DIFFER if frame[column].nunique() < 2]
    frame = frame.drop(columns=alike)
    for column in ("latency_ms", "latency_batch", "latency_batch_ms"):
        if frame[column].isna().all():
            frame = frame.drop(columns=column)
    if not confirmed:
        frame = frame.drop(
            columns=["delta_m_mean", "delta_m_stderr", "num_seeds", "tied_with_best"]
        )
    if not frame["over_limits"].any():
        frame = frame.drop(columns="over_limits")
    if not stopped:
        frame = frame.drop(columns=["epochs", "delta_m_when_paused"])
    frame["pareto"] = on_front(trials, compared(objectives))
    frame.attrs["front"] = [objective.name for objective in compared(objectives)]
    frame.attrs["best"] = _best(frame)
    frame.attrs["val_images"] = max((at.val_images or 0 for at in trials), default=0) or None
    falls = {"delta_m", "delta_m_mean", "pareto"} | {
        at for at, spec in metrics.items() if spec.higher_is_better
    }
    _refuse_unknown(sort, frame, trials)
    ranked = _sorted(frame, sort, falls=sort in falls)
    if confirmed and sort == "delta_m":
        ranked = ranked.sort_values(
            "delta_m_mean", ascending=False, kind="stable", na_position="last"
        )
        ranked = ranked.reset_index(drop=True)
    if top is not None and top < 1:
        raise ConfigError(f"a leaderboard of the top {top} has no rows", where="--top")
    return ranked if top is None else ranked.head(top)


def _best(frame: pd.DataFrame) -> int | None:
    """Number of the trial with the highest Δm, or mean of it, within the budget."""
    value = frame["delta_m_mean"] if "delta_m_mean" in frame else frame["delta_m"]
    if "over_limits" in frame:
        value = value.mask(frame["over_limits"])
    return int(frame["trial"].iloc[int(value.argmax())]) if value.notna().any() else None


def _row(
    record: TrialRecord,
    metrics: Sequence[str],
    reference: Mapping[str, TaskResult],
    confirmed: Mapping[int, SeedStatistics],
    standing: RungRank | None,
) -> dict[str, Any]:
    value, reason = None, ""
    if record.state == "complete":
        value, reason = delta_m(record.results, reference)
    candidate = record.candidate
    return {
        "trial": record.number,
        "state": record.state,
        "baseline": record.baseline,
        "delta_m": np.nan if value is None else value,
        **_over_seeds(confirmed.get(record.number)),
        **{column: metric_value(record, column) for column in metrics},
        "params": record.parameters,
        "flops": record.flops,
        **_latencies(record),
        "over_limits": bool(record.over_limits),
        "seconds": record.seconds,
        "epochs": record.epochs,
        "delta_m_when_paused": np.nan
        if standing is None or standing.delta_m is None
        else standing.delta_m,
        "plan": record.plan,
        "loss_weights": _weights_text(candidate.loss_weights),
        "learning_rate": candidate.learning_rate,
        "backbone": candidate.backbone,
        "balancer": candidate.balancer,
        "distillation": "none" if candidate.distillation is None else str(candidate.distillation),
        "attention": candidate.attention,
        "pareto": False,
        "reason": (str(standing) if standing else record.reason) or reason or record.note,
    }


def _over_seeds(found: SeedStatistics | None) -> dict[str, float | bool]:
    if found is None:
        return {
            "delta_m_mean": np.nan,
            "delta_m_stderr": np.nan,
            "num_seeds": np.nan,
            "tied_with_best": False,
        }
    return {
        "delta_m_mean": found.mean,
        "delta_m_stderr": found.stderr,
        "num_seeds": found.num_seeds,
        "tied_with_best": found.tied_with_best,
    }


def _latencies(record: TrialRecord) -> dict[str, float]:
    at = record.latency
    if at is None:
        return dict.fromkeys(("latency_ms", "latency_batch", "latency_batch_ms"), np.nan)
    return {"latency_ms": at.ms, "latency_batch": at.batch, "latency_batch_ms": at.batch_ms}


def _typed(rows: list[dict[str, Any]], metrics: list[str]) -> pd.DataFrame:
    """The rows as a frame whose types do not depend on how many there are."""
    import pandas as pd  # half a second, which reading a study does without

    names = list(DTYPES)
    after_delta = names.index("delta_m") + 1
    columns = names[:after_delta] + metrics + names[after_delta:]
    return pd.DataFrame(rows, columns=columns).astype(
        {**dict.fromkeys(metrics, "float64"), **DTYPES}
    )


def _refuse_unknown(column: str, frame: pd.DataFrame, trials: Sequence[TrialRecord]) -> None:
    if column not in frame.columns:
        known = list(dict.fromkeys([*frame.columns, *metric_columns(trials, all_metrics=True)]))
        raise ConfigError(
            f"there is no column {column!r} to sort by{did_you_mean(column, known)}",
            where="--sort",
            allowed=known,
        )


def _sorted(frame: pd.DataFrame, column: str, *, falls: bool) -> pd.DataFrame:
    standing = frame["state"].map({state: at for at, state in enumerate(STATES)})
    keyed = frame.assign(_standing=standing)
    order = keyed.sort_values(
        [column, "_standing", "trial"] if column != "trial" else ["trial"],
        ascending=[not falls, True, True] if column != "trial" else [True],
        kind="stable",
        na_position="last",
    ).index
    return frame.loc[order].reset_index(drop=True)


def _weights_text(weights: Mapping[str, float] | None) -> str | None:
    """``boxes=1.0, scene=0.25``: every digit, so that nothing is lost in a CSV."""
    if weights is None:
        return None
    return ", ".join(f"{task}={weight!r}" for task, weight in weights.items())
