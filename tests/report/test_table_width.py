"""Properties of leaderboards at any width: no plan and no number is cut without an ellipsis."""

from __future__ import annotations

import re
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.report import render
from mtlsearch.report._display_columns import formatted_columns
from mtlsearch.report._table import _fit_width
from mtlsearch.report._wrap import longest_line, wrap_plan
from mtlsearch.results import TaskResult, TrialRecord, leaderboard

WIDTHS = st.sampled_from([40, 60, 80, 120, 200])
METRIC = (Metric("accuracy", higher_is_better=True, primary=True),)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=34)
TASKS = st.lists(NAMES, min_size=2, max_size=6, unique=True)


@st.composite
def plans_of_tasks(draw: st.DrawFn) -> list[SharingPlan]:
    """Draw different plans of one run, of one unit or of many, with skips."""
    tasks, num_units = draw(TASKS), draw(st.integers(1, 16))
    keys = st.fixed_dictionaries(dict.fromkeys(tasks, st.integers(-1, len(tasks) - 1)))
    drawn = draw(
        st.lists(st.lists(keys, min_size=num_units, max_size=num_units), min_size=1, max_size=5)
    )
    return list(dict.fromkeys(_plan(tasks, units) for units in drawn))


def _plan(tasks: list[str], units: list[dict[str, int]]) -> SharingPlan:
    groups, skips = [], {}
    for index, keys in enumerate(units):
        present = [task for task in tasks if keys[task] >= 0]
        together = [
            [task for task in present if keys[task] == key] for key in sorted(keys.values())
        ]
        skipping = [task for task in tasks if keys[task] < 0]
        groups.append([*{tuple(group) for group in together if group}, *((t,) for t in skipping)])
        skips[index] = skipping
    return SharingPlan.from_groups(groups).with_skips(skips)


def board(plans: list[SharingPlan]) -> pd.DataFrame:
    """Return the leaderboard of a run that trained the plans."""
    records = [
        TrialRecord(
            number=number,
            state="complete",
            baseline="independent" if number == 0 else None,
            candidate=Candidate(plan),
            parameters=1_000_000 + number,
            flops=2_000_000_000 * (number + 1),
            results={
                task: TaskResult({"accuracy": 0.5 + number / 7}, METRIC) for task in plan.tasks
            },
            seconds=100.0 * number,
        )
        for number, plan in enumerate(plans)
    ]
    return leaderboard(records)


def row_blocks(text: str, num_rows: int) -> list[list[str]]:
    """Return the lines of each row of a table for a terminal."""
    lines = text.splitlines()
    first = next(index for index, line in enumerate(lines) if set(line) <= {"─", " "}) + 1
    is_start = [bool(line[:7].strip()) for line in lines]
    starts = [index for index in range(first, len(lines)) if is_start[index]][: num_rows + 1]
    return [lines[start:end] for start, end in pairwise([*starts, len(lines)])][:num_rows]


def plain(text: str) -> str:
    """Return a text without blanks and without the ellipses of split names."""
    return text.replace("…", "").replace(" ", "").replace("\n", "")


@settings(max_examples=40, deadline=None)
@given(plans_of_tasks(), WIDTHS)
def test_every_plan_and_number_is_whole_at_any_width(plans: list[SharingPlan], width: int) -> None:
    frame = board(plans)
    text = render(frame, "table", width=width)
    lines = text.splitlines()
    rule = next(index for index, line in enumerate(lines) if set(line) <= {"─", " "})
    start = next(line for line in lines[:rule] if "plan" in line.split()).rindex("plan")
    columns = formatted_columns(frame)
    *numbers, plan_column = _fit_width(columns, width)
    shown_plans = []
    for index, block in enumerate(row_blocks(text, len(frame))):
        shown_plans.append(plain("".join(line[start:] for line in block)))
        assert shown_plans[-1] == plain(plan_column.cells[index])
        cells = [item.cells[index] for item in numbers]
        assert re.split(" {2,}", block[0][:start].strip()) == list(filter(None, cells))
    assert len(set(shown_plans)) == len(plans)
    for item in columns:
        is_shown = item in (*numbers, plan_column)
        assert is_shown or plain(item.column.title) in plain(text.partition("hidden")[2])


@settings(max_examples=25, deadline=None)
@given(plans_of_tasks())
def test_pipe_and_markdown_contain_every_plan_on_one_line(plans: list[SharingPlan]) -> None:
    frame = board(plans)
    lines = render(frame, "table").splitlines()
    markdown = render(frame, "markdown").replace("\\|", "|").splitlines()
    for plan in frame["plan"]:
        assert any(line.removesuffix(" (baseline)").endswith(f"  {plan}") for line in lines)
        assert any(f"| {plan} " in line for line in markdown)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_table_of_short_names_fits_the_width(width: int) -> None:
    tasks = [f"t{index}" for index in range(6)]
    plans = [
        SharingPlan.from_splits(tasks, [1, 2, 3, 4, 5], 6),
        SharingPlan.hard(tasks, 6),
        _plan(
            tasks,
            [{task: (unit * 7 + n) % 5 - 1 for n, task in enumerate(tasks)} for unit in range(24)],
        ),
    ]
    assert max(len(str(plan)) for plan in plans) > 200
    assert longest_line(render(board(plans), "table", width=width)) <= width


@given(st.text("ab+| @1", max_size=60).map(" ".join), st.integers(2, 30))
def test_wrapped_plan_keeps_all_characters(text: str, width: int) -> None:
    wrapped = wrap_plan(text, width)
    assert plain(wrapped) == plain(text)
    assert longest_line(wrapped) <= width


def test_long_name_is_split_with_an_ellipsis() -> None:
    assert wrap_plan("segmentation+a | b @1", 8) == "segment…\nation+a\n| b @1"
