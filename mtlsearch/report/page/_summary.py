"""First screen of a page: the recommended plan, what it costs and what it changes per task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mtlsearch.plugin import Metric
from mtlsearch.report._formatting import format_counts, format_probabilities
from mtlsearch.report._plan_effects import task_changes
from mtlsearch.report.page._contents import RunContents
from mtlsearch.results import TrialRecord, counted_metrics, reference_of

MINUS = "\N{MINUS SIGN}"

SMALL = 0.01
"""Absolute value below which a metric has three significant digits instead of three decimals."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the first screen.

    Attributes:
        label: what it is.
        value: the number.
        note: error or reference.
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One metric of a task in the compared networks.

    Attributes:
        task: name of the task.
        color: number of the task's color.
        metric: name of the metric.
        is_higher_better: direction of the metric.
        is_counted: whether Δm counts the metric.
        counted: the metrics of the task that Δm counts; empty if it counts none.
        values: value and standard error of each network; empty texts where unknown.
        changes: change of the task against ``independent`` and its standard error, per network.
    """

    task: str
    color: int
    metric: str
    is_higher_better: bool
    is_counted: bool
    counted: str
    values: tuple[tuple[str, str], ...]
    changes: tuple[tuple[str, str], ...]


def plan_name(record: TrialRecord) -> str:
    """Return the name of a baseline, or the plan as text.

    Args:
        record: a trial.

    Returns:
        Such as ``hard`` or ``objects+scene | shapes @1``.
    """
    return record.baseline or record.plan


def compared_networks(contents: RunContents) -> dict[str, TrialRecord]:
    """Return the networks that the page compares: the best one, the recommended one, baselines.

    If a baseline is the best, the best of all other plans is compared too.

    Args:
        contents: the run.

    Returns:
        Trial by title, each trial once.
    """
    titles: dict[int, list[str]] = {}
    records: dict[int, TrialRecord] = {}
    for title, record in (
        ("best", contents.best),
        ("recommended", contents.recommended),
        *contents.baselines.items(),
        ("best proposed", _best_proposed(contents)),
    ):
        if record is not None and record.state == "complete":
            titles.setdefault(record.number, []).append(title)
            records[record.number] = record
    return {f"trial {number}, {', '.join(titles[number])}": records[number] for number in records}


def _best_proposed(contents: RunContents) -> TrialRecord | None:
    """Return the first plan of the leaderboard except baselines; None if it is the best."""
    if contents.best is None or contents.best.baseline is None:
        return None
    ranked = [contents.record_by_number[int(trial)] for trial in contents.frame["trial"]]
    proposed = (
        record
        for record in ranked
        if record.state == "complete" and not record.baseline and record.compression is None
    )
    return next(proposed, None)


def figures(contents: RunContents) -> Iterator[Figure]:
    """Yield the numbers of the recommended trial.

    Args:
        contents: the run.

    Yields:
        Expected Δm, cost relative to ``independent``, and probabilities.
    """
    record = contents.recommended
    if record is None:
        return
    independent = contents.baselines.get("independent")
    expectation = (
        None if contents.verdict is None else contents.verdict.expected_by_number[record.number]
    )
    if expectation is not None and record.baseline != "independent":
        note = f"± {expectation.deviation:.2f}, {_seeds(expectation.num_seeds)}"
        yield Figure("expected Δm", f"{signed(expectation.mean)} %", note)
    else:
        row = contents.frame[contents.frame["trial"].eq(record.number)]
        delta = float(row["delta_m"].iloc[0])
        if math.isfinite(delta) and record.baseline != "independent":
            yield Figure("measured Δm", f"{signed(delta)} %", "one training")
    flops, parameters = (
        format_counts(contents.frame.loc[contents.frame["trial"].eq(record.number), name])[0]
        for name in ("flops", "params")
    )
    if independent is None or independent.number == record.number or not independent.flops:
        yield Figure("FLOPs per image", flops)
        yield Figure("parameters", parameters)
    else:
        share = 100 * record.flops / independent.flops
        yield Figure("FLOPs per image", flops, f"{share:.0f} % of independent")
        share = 100 * record.parameters / independent.parameters
        yield Figure("parameters", parameters, f"{share:.0f} % of independent")
    if expectation is None:
        return
    for name, probability in (
        ("independent", expectation.beats_independent),
        ("hard", expectation.beats_hard),
    ):
        if probability is not None:
            yield Figure(f"beats {name}", _percent(probability), "probability")


def task_rows(contents: RunContents, colors: Mapping[str, int]) -> list[TaskRow]:
    """Return the primary metric of each task in the compared networks.

    Args:
        contents: the run.
        colors: number of the color by task.

    Returns:
        One row per task, in the order of the names.
    """
    networks = [*compared_networks(contents).values()]
    reference = reference_of(contents.records)
    changes = [task_changes(record, reference) for record in networks]
    counted = counted_metrics(reference).by_task if reference else {}
    rows = []
    for task, spec in primary_specs(contents).items():
        values = []
        for record in networks:
            result = record.results.get(task)
            value = math.nan if result is None else result.value(spec)
            error = None if result is None else result.errors.get(spec.name)
            values.append((number(value), "" if error is None else f"± {number(error)}"))
        rows.append(
            TaskRow(
                task,
                colors.get(task, 0),
                spec.name,
                spec.higher_is_better,
                f"{task}.{spec.name}" not in contents.not_counted,
                ", ".join(metric.name for metric in counted.get(task, ())),
                tuple(values),
                tuple(
                    _change(record, *change.get(task, (None, None)))
                    for record, change in zip(networks, changes, strict=True)
                ),
            )
        )
    return rows


def primary_specs(contents: RunContents) -> dict[str, Metric]:
    """Return the primary metric of each task with results.

    Args:
        contents: the run.

    Returns:
        Metric by task, sorted by task.
    """
    specs = {
        task: spec
        for record in contents.records
        for task, result in record.results.items()
        for spec in result.specs
        if spec.primary
    }
    return dict(sorted(specs.items()))


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with a sign, such as ``+1.20``.

    Args:
        value: the number.
        decimals: number of decimals.

    Returns:
        The text, with a minus sign instead of a hyphen.
    """
    return f"{value:+.{decimals}f}".replace("-", MINUS)


def number(value: float) -> str:
    """Return three decimals, one for values from 100, or three digits below 0.01.

    Args:
        value: the number.

    Returns:
        The text; a dash for NaN.
    """
    if not math.isfinite(value):
        return "-"
    if 0 < abs(value) < SMALL:
        text = f"{value:.3g}"
    else:  # adding 0.0 removes the sign of -0.0
        text = f"{value + 0.0:.1f}" if abs(value) >= 100 else f"{value + 0.0:.3f}"
    return text.replace("-", MINUS)


def _change(record: TrialRecord, change: float | None, error: float | None) -> tuple[str, str]:
    if record.baseline == "independent" or change is None:
        return "", ""
    return f"{signed(change, 1)} %", "" if error is None else f"± {error:.1f}"


def _percent(probability: float) -> str:
    import pandas as pd

    return format_probabilities(pd.Series([probability]))[0]


def _seeds(count: int) -> str:
    return "1 training" if count == 1 else f"{count} trainings"
