"""Leaderboard of a run as a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mtlsearch.errors import ConfigError, did_you_mean
from mtlsearch.plugin import Metric
from mtlsearch.results._baseline_remarks import baseline_remarks
from mtlsearch.results._columns import COLUMNS, HEADINGS, DType, Row, Rows
from mtlsearch.results._delta_m import (
    counted_metrics,
    delta_m,
    delta_m_error,
    reference_at,
    reference_of,
)
from mtlsearch.results._expectation import Expectation
from mtlsearch.results._metric_columns import ERROR, metric_columns, metric_error, metric_value
from mtlsearch.results._objective import DELTA_M, Objective
from mtlsearch.results._pareto import front_objectives, is_on_front
from mtlsearch.results._per_class import zero_classes
from mtlsearch.results._result import TaskResult
from mtlsearch.results._rung_ranking import rung_ranks
from mtlsearch.results._seed_statistics import SeedStatistics
from mtlsearch.results._trial import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

STATES = ("complete", "running", "paused", "interrupted", "infeasible", "failed")
"""Order of states among trials with the same value in the sorted column."""


def leaderboard(
    records: Iterable[TrialRecord],
    *,
    objectives: Sequence[Objective] = (DELTA_M,),
    sort: str | None = None,
    top: int | None = None,
    all_metrics: bool = False,
    with_errors: bool = False,
    confirmed: Mapping[int, SeedStatistics] = MappingProxyType({}),
    expected: Mapping[int, Expectation] = MappingProxyType({}),
) -> pd.DataFrame:
    """Build the leaderboard: one row per trial, the best first.

    :data:`~mtlsearch.results._columns.COLUMNS` lists the columns, and ``docs/search.md`` describes
    them. Columns ``task.metric`` with the metrics follow ``delta_m``. Paused trials are not ranked:
    they follow the complete trials.

    ``attrs`` of the frame contain ``best`` (number of the trial within the limits with the highest
    expected Δm, or the highest Δm without a verdict), ``front`` (names of the objectives of
    ``pareto``), ``val_images``, ``num_images`` (validation images by task), ``best_values`` (by
    metric column), and of metrics near their bounds ``not_counted``, ``saturated`` and
    ``remarks``; and ``zero_classes`` (trial numbers by task and class at 0).

    Compressed trials are not ranked: each follows its parent, unless ``sort`` is given, and is
    neither ``best`` nor in ``pareto``.

    Args:
        records: the trials of a run, with its compressed trials.
        objectives: the objectives of the search.
        sort: a column or its heading in a table, or any metric, which then has a column. Values
            for which higher is better descend, all others ascend. Missing values are last. None:
            ``delta_m_mean`` if trials are confirmed, otherwise ``expected_delta_m`` if it is
            known, otherwise ``delta_m``.
        top: maximum number of rows; None: all. ``pareto``, ``tied_with_best`` and ``best`` refer
            to all trials.
        all_metrics: one column per metric, not only the primary metric of each task.
        with_errors: the standard error of Δm and, in columns ``task.metric_error``, of each metric
            with a column, over validation images.
        confirmed: statistics over seeds by trial number. Confirmed trials come first, by
            ``delta_m_mean`` over ``num_seeds``, with its standard error ``delta_m_stderr``.
            ``tied_with_best`` marks trials that differ from the best by at most one standard
            error.
        expected: expected Δm by trial number, of a verdict (``mtlsearch.search.verdict_of``).

    Returns:
        The leaderboard.

    Raises:
        ConfigError: the column to sort by does not exist, or ``top`` is below 1.
    """
    if top is not None and top < 1:
        raise ConfigError(
            f"`top` must be at least 1, got {top}", where="--top", next_step="set 1 or more"
        )
    trials = _with_reruns([record for record in records if record.compression is None])
    compressed = [record for record in records if record.compression is not None]
    first = "delta_m_mean" if confirmed else "expected_delta_m" if expected else "delta_m"
    order = [first, "delta_m"] if sort is None else [HEADINGS.get(sort, sort)]
    metrics = metric_columns(trials, all_metrics=all_metrics, sort=order[0])
    rows = Rows(
        [
            *_rows(trials, objectives, confirmed, expected, with_errors=with_errors),
            *_compressed_rows(compressed, reference_of(trials), with_errors=with_errors),
        ],
        all_metrics,
        with_errors,
    )
    frame = _frame(rows, metrics)
    frame.attrs["front"] = [objective.name for objective in front_objectives(objectives)]
    frame.attrs["best"] = _best(frame, len(trials))
    frame.attrs |= _baseline_attrs(reference_of(trials), metrics)
    frame.attrs["zero_classes"] = zero_classes(trials)
    frame.attrs["val_images"] = max((trial.val_images or 0 for trial in trials), default=0) or None
    _check_column(order[0], frame, trials)
    ranked = _sorted(frame, order, metrics)
    if sort is None and compressed:
        ranked = _behind_parents(ranked)
    return ranked if top is None else ranked.head(top)


def _with_reruns(trials: list[TrialRecord]) -> list[TrialRecord]:
    """Replace the reason of interrupted trials whose candidate ran again."""
    if all(trial.state != "interrupted" for trial in trials):
        return sorted(trials, key=lambda trial: trial.number)
    number_by_digest: dict[str, int] = {}
    replaced = []
    for trial in sorted(trials, key=lambda trial: trial.number, reverse=True):
        again = number_by_digest.get(trial.candidate.digest)
        if trial.state == "interrupted" and again is not None:
            trial = replace(trial, reason=f"its candidate ran again as trial {again}")
        number_by_digest[trial.candidate.digest] = trial.number
        replaced.append(trial)
    return replaced[::-1]


def _rows(
    trials: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    confirmed: Mapping[int, SeedStatistics],
    expected: Mapping[int, Expectation],
    *,
    with_errors: bool,
) -> list[Row]:
    reference = reference_of(trials)
    ranks = rung_ranks(trials, objectives)
    compared = {
        trial.number: delta_m(trial.results, reference)
        for trial in trials
        if trial.state == "complete"
    }
    deltas = {number: value for number, (value, _) in compared.items() if value is not None}
    on_front = is_on_front(trials, front_objectives(objectives), deltas)
    rows = []
    for trial, is_member in zip(trials, on_front, strict=True):
        value, reason, counted, error = None, "", None, None
        statistics, rank = confirmed.get(trial.number), ranks.get(trial.number)
        if trial.state == "complete":
            value, reason = compared[trial.number]
            counted = None if value is None else counted_metrics(reference)
            error = delta_m_error(trial.results, reference) if with_errors else None
        elif rank is not None:
            counted = counted_metrics(reference_at(trials, rank.epoch))
        expectation = expected.get(trial.number)
        rows.append(
            Row(
                trial, value, reason, statistics, rank, bool(is_member), counted, error, expectation
            )
        )
    return rows


def _compressed_rows(
    compressed: Sequence[TrialRecord],
    reference: Mapping[str, TaskResult],
    *,
    with_errors: bool,
) -> list[Row]:
    rows = []
    for trial in compressed:
        value, reason = delta_m(trial.results, reference)
        counted = None if value is None else counted_metrics(reference)
        error = delta_m_error(trial.results, reference) if with_errors else None
        rows.append(Row(trial, value, reason, None, None, False, counted, error))
    return rows


def _behind_parents(frame: pd.DataFrame) -> pd.DataFrame:
    """Move each compressed trial behind its parent, the largest first."""
    ordinary = [int(number) for number in frame.loc[frame["parent"].isna(), "trial"]]
    positions = {number: position for position, number in enumerate(ordinary)}
    of_parent = frame["parent"].fillna(frame["trial"]).map(positions).fillna(len(ordinary))
    keyed = frame.assign(_position=of_parent, _is_compressed=frame["parent"].notna())
    index = keyed.sort_values(
        ["_position", "_is_compressed", "flops"], ascending=[True, True, False], kind="stable"
    ).index
    return frame.loc[index].reset_index(drop=True)


def _baseline_attrs(
    reference: Mapping[str, TaskResult], metrics: Mapping[str, Metric]
) -> dict[str, Any]:
    """Return what the notes of a table tell about the baseline, as plain values."""
    counted = counted_metrics(reference)
    num_images = {
        task: result.num_images
        for task, result in reference.items()
        if result.num_images is not None
    }
    return {
        "num_images": num_images,
        "best_values": {
            name: spec.high if spec.higher_is_better else spec.low for name, spec in metrics.items()
        },
        "not_counted": list(counted.not_counted),
        "saturated": list(counted.saturated),
        "remarks": baseline_remarks(reference),
    }


def _frame(rows: Rows, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """Return the rows as a frame whose types do not depend on the number of rows."""
    import pandas as pd  # half a second, which reading a study does not need

    included = [column for column in COLUMNS if column.included.holds(rows)]
    cells_by_column: dict[str, list[Any]] = {
        column.name: [column.value(row) for row in rows.rows] for column in included
    }
    cells_by_metric = {}
    for name in metrics:
        cells_by_metric[name] = [metric_value(row.record, name) for row in rows.rows]
        if rows.with_errors:
            errors = [metric_error(row.record, name) for row in rows.rows]
            cells_by_metric[f"{name}{ERROR}"] = errors
    before = [column.name for column in included if column.is_before_metrics]
    after = [column.name for column in included if not column.is_before_metrics]
    frame = pd.DataFrame(cells_by_column | cells_by_metric)
    dtypes: dict[str, DType] = {column.name: column.dtype for column in included}
    dtypes |= dict.fromkeys(cells_by_metric, "float64")
    return frame[[*before, *cells_by_metric, *after]].astype(dtypes)


def _best(frame: pd.DataFrame, num_ranked: int) -> int | None:
    """Return the trial with the highest mean, expected or measured Δm within the limits.

    Only the first rows are ranked; compressed trials follow.
    """
    frame = frame.head(num_ranked)
    names = [name for name in ("delta_m_mean", "expected_delta_m") if name in frame]
    defined_names = [name for name in names if frame[name].notna().any()]
    value = frame[[*defined_names, "delta_m"][0]]
    if "over_limits" in frame:
        value = value.mask(frame["over_limits"])
    return int(frame["trial"].iloc[int(value.argmax())]) if value.notna().any() else None


def _check_column(name: str, frame: pd.DataFrame, trials: Sequence[TrialRecord]) -> None:
    if name not in frame.columns:
        names = list(dict.fromkeys([*frame.columns, *metric_columns(trials, all_metrics=True)]))
        raise ConfigError(
            f"the leaderboard has no column {name!r}{did_you_mean(name, names)}",
            where="--sort",
            allowed=names,
        )


def _sorted(
    frame: pd.DataFrame, names: Sequence[str], metrics: Mapping[str, Metric]
) -> pd.DataFrame:
    descending = {column.name for column in COLUMNS if column.is_descending}
    descending |= {metric for metric, spec in metrics.items() if spec.higher_is_better}
    order_by_state = {state: order for order, state in enumerate(STATES)}
    by = list(dict.fromkeys([*names, "_state", "trial"]))
    keyed = frame.assign(_state=frame["state"].map(order_by_state))
    index = keyed.sort_values(
        by,
        ascending=[name not in descending for name in by],
        kind="stable",
        na_position="last",
    ).index
    return frame.loc[index].reset_index(drop=True)
