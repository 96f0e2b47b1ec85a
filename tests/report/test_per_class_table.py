"""Results per class as a table, and marks of metrics that hide a class at 0."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from mtlsearch.plan import SharingPlan
from mtlsearch.report import render, render_per_class
from mtlsearch.results import TrialRecord, leaderboard, per_class_results
from tests.results.trials import TASKS, UNITS, results, trial

CLASSES = ("cat", "dog", "hare")


def run(*values_by_trial: tuple[float, float, float]) -> list[TrialRecord]:
    """Return trials whose task ``boxes`` has results per class; the first is the baseline."""
    records = []
    for number, values in enumerate(values_by_trial):
        measured = results(boxes=0.3 + 0.01 * number)
        per_class = {"AP": dict(zip(CLASSES, values, strict=True))}
        measured["boxes"] = replace(measured["boxes"], per_class=per_class)
        if number == 0:
            plan = SharingPlan.independent(TASKS, UNITS)
            records.append(trial(0, plan, measured, baseline="independent"))
        else:
            records.append(trial(number, measured=measured))
    return records


RUN = run((0.5, 0.0, 0.25), (0.5, 0.1, 0.25), (0.5, 0.0, 0.0))


def table(records: list[TrialRecord], form: str = "table", width: int | None = None) -> str:
    results = per_class_results(records, "boxes")
    return render_per_class(results, leaderboard(records), "boxes", form, width=width)


def test_table_has_classes_as_rows_and_trials_as_columns() -> None:
    lines = table(RUN).splitlines()
    assert lines[0] == "boxes.AP by class (rows) and trial (columns), on the validation images"
    assert lines[2].split() == ["class", "★", "2", "1", "0"]
    assert lines[4].split() == ["cat", "0.500", "0.500", "0.500"]
    assert lines[5].split() == ["dog", "0.000", "0.100", "0.000"]


@pytest.mark.parametrize("width", [20, 27, 40])
def test_narrow_table_names_the_hidden_trials(width: int) -> None:
    lines = table(RUN, width=width).splitlines()[2:]
    assert max(map(len, lines[:5])) <= width
    num_shown = len(lines[2].split()) - 1
    hidden = ["★ 2", "1", "0"][num_shown:]
    if hidden:
        assert lines[-1] == f"hidden, the terminal is too narrow: trials {', '.join(hidden)}"


def test_json_contains_all_metrics_and_digits() -> None:
    rows = json.loads(table(RUN, "json"))
    assert rows[1] == {"trial": 0, "metric": "AP", "class": "dog", "value": 0.0}
    assert len(rows) == 9


def test_metric_with_a_class_at_0_is_marked() -> None:
    text = render(leaderboard(RUN))
    assert [line.count("†") for line in text.splitlines() if "complete" in line] == [1, 0, 1]
    note = "† boxes, classes at 0: dog in trials 0, 2; hare in trial 2 (--per-class boxes)"
    assert note in text.splitlines()
    assert note in render(leaderboard(RUN), "markdown")


def test_note_names_the_shown_trials_only() -> None:
    frame = leaderboard(RUN)
    text = render(frame[frame["trial"].eq(1)].reset_index(drop=True))
    assert "†" not in text


def test_run_without_results_per_class_has_no_mark() -> None:
    records = [trial(0, SharingPlan.independent(TASKS, UNITS), baseline="independent"), trial(1)]
    assert "†" not in render(leaderboard(records))


def test_csv_and_values_have_no_marks() -> None:
    frame = leaderboard(RUN)
    assert "†" not in render(frame, "csv")
    assert pd.api.types.is_float_dtype(frame["boxes.mAP"])


def test_note_of_many_classes_is_short() -> None:
    names = [f"c{index}" for index in range(40)]
    records = run((0.5, 0.0, 0.25), (0.5, 0.0, 0.25))
    records = [
        replace(
            record,
            results=dict(record.results)
            | {
                "boxes": replace(
                    record.results["boxes"], per_class={"AP": dict.fromkeys(names, 0.0)}
                )
            },
        )
        for record in records
    ]
    text = render(leaderboard(records))
    assert "c0, c1, c2, c3, c4 and 35 more in all 2 trials" in text
