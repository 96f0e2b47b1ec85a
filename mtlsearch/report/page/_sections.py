"""Sections of a page as values for the template: plans, effects, matrices, classes, failures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mtlsearch.report._formatting import format_counts
from mtlsearch.report.page._contents import RunContents
from mtlsearch.report.page._matrix_drawing import draw_confusion, draw_signed_matrix, shorten
from mtlsearch.report.page._networks import NetworkResults
from mtlsearch.report.page._plan_drawing import draw_plan
from mtlsearch.report.page._summary import number, plan_name, primary_specs, signed
from mtlsearch.results import TrialRecord

MAX_PLANS = 12
"""Number of plans that are drawn."""

MAX_INTERVALS = 15
"""Number of plans with an interval of expected Δm."""

MAX_MATRIX = 30
"""Number of classes up to which a confusion matrix is drawn; above, pairs are listed."""

MANY_DIGITS = 10_000
"""Count from which the cells of confusion matrices are percentages."""

UNLISTED_STATES = frozenset({"complete", "running"})
"""States of trials that are not listed as failures."""

MAX_PAIRS = 20
MAX_ESTIMATES = 15

MAX_PLAN, MAX_ROW = 40, 64
"""Number of characters of a plan, and of a row with a plan and its expected Δm."""

AFFINITY_TITLES = {
    "gradients": ("gradient similarity", "cosine of two tasks' gradients in a shared unit"),
    "representations": ("representation similarity", "linear CKA of two single-task networks"),
    "unit_lookahead": (
        "first-order affinity",
        "relative decrease of the column's loss by a step for the row, from this unit",
    ),
}


@dataclass(frozen=True, slots=True)
class PlanCard:
    """One plan with its drawing.

    Attributes:
        trial: trial number.
        name: the plan as text.
        badges: such as ``best`` or ``recommended``.
        picture: the drawing.
        facts: names and values.
    """

    trial: int
    name: str
    badges: tuple[str, ...]
    picture: Markup
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """Expected Δm of a plan on a common scale.

    Attributes:
        trial: trial number.
        name: the plan as text.
        role: ``best``, ``independent``, ``hard`` or ``other``.
        center: position of the mean, in percent of the width.
        left: position of mean minus deviation.
        width: length of two deviations.
        text: mean and deviation.
    """

    trial: int
    name: str
    role: str
    center: float
    left: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A drawing with its title.

    Attributes:
        title: heading.
        note: text below the heading.
        picture: the drawing.
    """

    title: str
    note: str
    picture: Markup


@dataclass(frozen=True, slots=True)
class MatrixGroup:
    """Matrices with one scale.

    Attributes:
        title: what they show.
        note: explanation.
        limit: number with the strongest color, as text.
        panels: one panel per unit.
    """

    title: str
    note: str
    limit: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Results per class of one task.

    Attributes:
        task: name of the task.
        metric: name of the metric.
        unit: what the support counts.
        columns: titles of the networks.
        rows: class, support, and one number per network.
        confusions: confusion matrix per network.
        is_percent: whether the cells of the matrices are percentages of the true class.
        pairs: the most frequent confusions per network, in place of large matrices.
    """

    task: str
    metric: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]
    confusions: tuple[Panel, ...]
    is_percent: bool
    pairs: tuple[tuple[str, tuple[tuple[str, str, int], ...]], ...]


def plan_cards(contents: RunContents) -> list[PlanCard]:
    """Return the first plans of the leaderboard, each plan once.

    Args:
        contents: the run.

    Returns:
        At most 12 cards.
    """
    return [plan_card(contents, record) for record in contents.ranked_plans[:MAX_PLANS]]


def plan_card(contents: RunContents, record: TrialRecord) -> PlanCard:
    """Return the drawing of a trial's plan with its numbers.

    Args:
        contents: the run.
        record: a trial.

    Returns:
        The card.
    """
    badges = []
    if contents.best is not None and record.number == contents.best.number:
        badges.append("best")
    if contents.recommended is not None and record.number == contents.recommended.number:
        badges.append("recommended")
    if record.baseline:
        badges.append("baseline")
    row = contents.frame[contents.frame["trial"].eq(record.number)]
    flops, parameters = (format_counts(row[name])[0] for name in ("flops", "params"))
    facts = []
    expected = {} if contents.verdict is None else contents.verdict.expected_by_number
    expectation = expected.get(record.number)
    if expectation is not None and record.baseline != "independent":
        facts.append(("expected Δm", f"{signed(expectation.mean)} ± {expectation.deviation:.2f} %"))
    if math.isfinite(delta := float(row["delta_m"].iloc[0])) and record.baseline != "independent":
        facts.append(("measured Δm", f"{signed(delta)} %"))
    facts += [("FLOPs", flops), ("parameters", parameters)]
    plan = record.candidate.plan
    facts.append(("", f"{sum(plan.copies)} copies of {len(plan.rows)} units"))
    name = plan_name(record)
    return PlanCard(
        record.number,
        name,
        tuple(badges),
        draw_plan(
            plan, contents.units_of(record), f"Sharing plan of trial {record.number}: {name}"
        ),
        tuple(facts),
    )


def intervals(contents: RunContents) -> tuple[list[Interval], float]:
    """Return expected Δm with its deviation for the first plans of the leaderboard.

    Args:
        contents: the run.

    Returns:
        At most 15 intervals and both baselines, and the position of 0 in percent of the width;
        no interval without a verdict.
    """
    if contents.verdict is None:
        return [], 0.0
    expected = contents.verdict.expected_by_number
    ranked = [int(trial) for trial in contents.frame["trial"] if int(trial) in expected]
    kept = set(ranked[:MAX_INTERVALS])
    kept |= {record.number for record in contents.baselines.values()} & expected.keys()
    shown = [trial for trial in ranked if trial in kept]
    ends = [0.0]
    for trial in shown:
        ends += [
            expected[trial].mean - expected[trial].deviation,
            expected[trial].mean + expected[trial].deviation,
        ]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    low, span = low - 0.03 * span, 1.06 * span
    roles = contents.role_by_trial
    items = [
        Interval(
            trial,
            plan_name(contents.record_by_number[trial]),
            roles.get(trial, "other"),
            100 * (expected[trial].mean - low) / span,
            100 * (expected[trial].mean - expected[trial].deviation - low) / span,
            100 * 2 * expected[trial].deviation / span,
            f"{signed(expected[trial].mean)} ± {expected[trial].deviation:.2f}",
        )
        for trial in shown
    ]
    return items, 100 * (0.0 - low) / span


def affinity_groups(contents: RunContents) -> list[MatrixGroup]:
    """Return the affinity matrices: one group per measure, one panel per unit.

    Args:
        contents: the run.

    Returns:
        The groups; empty if the affinity was not measured.
    """
    affinity = contents.affinity
    if affinity is None:
        return []
    groups = []
    for measure, (title, note) in AFFINITY_TITLES.items():
        values = np.asarray(getattr(affinity, measure), np.float64)
        limit, digits = 1.0, "{:+.2f}"
        if measure == "unit_lookahead":  # far below 1 %, so numbers are in a power of ten
            largest = 100 * _largest_effect(values)
            exponent = math.floor(math.log10(largest))
            values, limit, digits = 100 * values / 10**exponent, largest / 10**exponent, "{:+.1f}"
            note = f"{note}; in percent x 10^{exponent}" if exponent else f"{note}; in percent"
        panels = tuple(
            Panel(
                f"unit {unit}",
                name,
                draw_signed_matrix(
                    values[unit],
                    affinity.tasks,
                    affinity.tasks,
                    limit,
                    f"{title} of unit {unit}",
                    digits.format,
                ),
            )
            for unit, name in enumerate(affinity.units)
        )
        groups.append(MatrixGroup(title, note, f"{limit:.2g}", panels))
    return groups


def estimate_panel(contents: RunContents) -> Panel | None:
    """Return the expected change of each task under the first plans of the estimate.

    Args:
        contents: the run.

    Returns:
        The matrix; None without an estimate.
    """
    estimate = contents.estimate
    if estimate is None:
        return None
    shown = estimate.plans[:MAX_ESTIMATES]
    shown += tuple(item for item in estimate.plans[MAX_ESTIMATES:] if item.baseline)
    tasks = sorted(estimate.task_by_name)
    values = np.array([[item.mean, *(item.mean_by_task[task] for task in tasks)] for item in shown])
    limit = float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0
    rows = [
        f"{shorten(item.baseline or str(item.plan), MAX_PLAN)}{' *' if item.is_trained else ''}  "
        + (f"{item.mean:+.2f} ± {item.deviation:.2f}" if math.isfinite(item.mean) else "?")
        for item in shown
    ]
    picture = draw_signed_matrix(
        values,
        rows,
        ["Δm", *tasks],
        limit,
        "Expected change of each task by plan, in percent",
        "{:+.1f}".format if limit >= 1 else "{:+.2f}".format,
        max_name=MAX_ROW,
    )
    trained = f"{estimate.epochs} of {estimate.full_epochs} epochs"
    if estimate.has_own_schedule:
        count = "1 epoch" if estimate.epochs == 1 else f"{estimate.epochs} epochs"
        trained = f"{count} with a schedule of their own, and from the trials of the run"
    note = (
        f"Expected change in percent against independent, from trainings of {trained}. "
        "Behind each plan: its expected Δm and the standard deviation. "
        f"Strongest color: ± {limit:.{1 if limit >= 1 else 2}f} %. "
        "An asterisk marks plans that were trained."
    )
    return Panel("Estimate of all plans", note, picture)


def class_tables(
    contents: RunContents, networks: NetworkResults, compared: Mapping[str, TrialRecord]
) -> list[ClassTable]:
    """Return the results per class of each task that has some, and its confusion matrices.

    Args:
        contents: the run.
        networks: the evaluated networks.
        compared: trial by title.

    Returns:
        One table per task, sorted by task.
    """
    tables = []
    for task in primary_specs(contents):
        by_network = {
            title: next(iter(record.results[task].per_class.items()), ("", {}))
            for title, record in compared.items()
            if task in record.results
        }
        metric = next((name for name, _ in by_network.values() if name), "")
        is_percent = _has_many_digits(task, networks)
        confusions, pairs = _confusions(task, networks, is_percent=is_percent)
        if not metric and not confusions and not pairs:
            continue
        support, unit = _support(task, networks)
        names = list(dict.fromkeys(name for _, values in by_network.values() for name in values))
        rows = tuple(
            (
                name,
                f"{support[name]:,}" if name in support else "",
                tuple(number(values.get(name, math.nan)) for _, values in by_network.values()),
            )
            for name in names
        )
        table = ClassTable(
            task, metric, unit, tuple(by_network), rows, confusions, is_percent, pairs
        )
        tables.append(table)
    return tables


def _has_many_digits(task: str, networks: NetworkResults) -> bool:
    """Return whether counts in the confusion matrices are too long for their cells."""
    matrices = [
        result.confusion
        for evaluation in networks.evaluations.values()
        if (result := evaluation.tasks.get(task)) is not None and result.confusion is not None
    ]
    return any(matrix.max(initial=0) >= MANY_DIGITS for matrix in matrices)


def _confusions(
    task: str, networks: NetworkResults, *, is_percent: bool
) -> tuple[tuple[Panel, ...], tuple[tuple[str, tuple[tuple[str, str, int], ...]], ...]]:
    panels, pairs = [], []
    for title, evaluation in networks.evaluations.items():
        result = evaluation.tasks.get(task)
        if result is None or result.confusion is None:
            continue
        names = result.confusion_names
        if len(names) <= MAX_MATRIX:
            label = f"Confusion matrix of {task}, {title}"
            picture = draw_confusion(result.confusion, names, label, is_percent=is_percent)
            panels.append(Panel(title, "", picture))
            continue
        wrong = result.confusion.copy()
        np.fill_diagonal(wrong, 0)
        largest = np.argsort(-wrong, axis=None, kind="stable")[:MAX_PAIRS]
        rows, columns = np.unravel_index(largest, wrong.shape)
        listed = tuple(
            (names[row], names[column], int(wrong[row, column]))
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
            if wrong[row, column]
        )
        pairs.append((title, listed))
    return tuple(panels), tuple(pairs)


def _support(task: str, networks: NetworkResults) -> tuple[Mapping[str, int], str]:
    from mtlsearch.report._evaluation_text import COUNTED

    for evaluation in networks.evaluations.values():
        result = evaluation.tasks.get(task)
        if result is not None and result.support:
            return result.support, COUNTED.get(result.form, "images")
    return {}, ""


def failures(contents: RunContents) -> list[tuple[int, str, str, str]]:
    """Return the trials that are neither complete nor running, with their reasons.

    Args:
        contents: the run.

    Returns:
        Trial number, state, plan and reason, by number.
    """
    continued = contents.continuation_by_trial
    rows = [
        (
            record.number,
            record.state,
            plan_name(record),
            f"continued as trial {continued[record.number]}"
            if record.number in continued
            else record.reason,
        )
        for record in contents.records
        if record.state not in UNLISTED_STATES
    ]
    rows += [
        (record.number, record.state, f"second seed of trial {record.repeats}", record.reason)
        for record in contents.repeats
        if record.state not in UNLISTED_STATES
    ]
    return sorted(rows)


def state_sentence(contents: RunContents) -> str:
    """Return what the list of failures leaves out.

    Args:
        contents: the run.

    Returns:
        One sentence; empty if trials failed and none is running.
    """
    states = [record.state for record in (*contents.records, *contents.repeats)]
    if not states:
        return "This run has no trials."
    if num_running := states.count("running"):
        return "1 training is running." if num_running == 1 else f"{num_running} trainings run."
    if UNLISTED_STATES.issuperset(states):
        num_trials = len(contents.records)
        return (
            f"All {num_trials} trials are complete." if num_trials > 1 else "Trial 0 is complete."
        )
    return ""


def tooltips(
    contents: RunContents, columns: Sequence[str], format_row: Callable[[int], Sequence[str]]
) -> dict[str, list[list[str]]]:
    """Return what a hint of each trial shows.

    Args:
        contents: the run.
        columns: headings of the leaderboard.
        format_row: function from a row index to its cells.

    Returns:
        Pairs of heading and text by trial number, without empty cells.
    """
    return {
        str(int(trial)): [
            [column, text]
            for column, text in zip(columns, format_row(index), strict=True)
            if text and column != "trial"
        ]
        for index, trial in enumerate(contents.frame["trial"])
    }


def _largest_effect(values: np.ndarray) -> float:
    """Return the largest effect of a step on another task."""
    effects = np.abs(values[:, ~np.eye(values.shape[-1], dtype=bool)])
    finite = effects[np.isfinite(effects)]
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0
