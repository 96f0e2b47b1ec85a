"""Tests of the leaderboard as text."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlsearch.errors import ConfigError
from mtlsearch.plugin import Distillation
from mtlsearch.report import FORMATS, _display_columns, render, write
from mtlsearch.report._display_columns import DISPLAY_COLUMNS, DisplayColumn
from mtlsearch.results import SeedStatistics, TrialRecord, leaderboard
from tests.results.trials import baselines, expectations, results, run, trial


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("records", [[], [trial(0)], baselines(), run()])
def test_render_shows_every_trial_in_every_format(form: str, records: list) -> None:
    frame = leaderboard(records)
    text = render(frame, form)
    assert text.endswith("\n")
    for record in records:
        assert str(record.candidate.plan).replace("|", "\\|" if form == "markdown" else "|") in text


def test_table_shows_errors_beside_numbers() -> None:
    scene = replace(results()["scene"], errors={"accuracy": 0.0512, "F1": 0.06})
    records = [replace(record, results={**results(), "scene": scene}) for record in baselines()]
    text = render(leaderboard(records, with_errors=True), "table")
    assert "0.600 ± 0.051" in text
    assert "scene.accuracy_error" not in text
    assert "0.300 " in text  # the error of boxes.mAP is unknown
    assert "±" not in render(leaderboard(records), "table")


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_table_shows_the_expected_delta_m(form: str) -> None:
    text = render(leaderboard(run(), expected=expectations()), form)
    best = next(line for line in text.splitlines() if "★" in line and "complete" in line)
    for cell in ("+2.25", "+2.10 ± 0.80", "> 99 %", " 5 ", " 2 "):
        assert cell in best
    assert "★ highest expected Δm, the best plan of the verdict" in text
    assert "expected Δm: estimate ± standard deviation" in text
    plain = render(leaderboard(run()), form)
    assert "★ highest Δm" in plain
    for heading in ("expected", "beats hard", "seeds  "):
        assert heading not in plain


def test_narrow_table_keeps_the_expected_delta_m() -> None:
    text = render(leaderboard(run(), expected=expectations()), "table", width=80)
    table, hidden = text.split("★ highest")
    assert max(map(len, text.splitlines())) <= 80
    assert "+2.10 ± 0.80" in table
    assert "beats hard" not in table
    assert "beats" in hidden


def test_csv_and_json_keep_all_digits_and_columns() -> None:
    frame = leaderboard(run(), all_metrics=True)
    lines = list(csv.DictReader(StringIO(render(frame, "csv"))))
    assert list(lines[0]) == list(frame.columns)
    numbers = frame.select_dtypes("number").columns
    for column in numbers:
        read = [float(line[column] or "nan") for line in lines]
        np.testing.assert_array_equal(read, frame[column].to_numpy(float))
    rows = json.loads(render(frame, "json"))
    for row, (_, expected) in zip(rows, frame.iterrows(), strict=True):
        assert list(row) == list(frame.columns)
        for column in numbers:
            value = math.nan if row[column] is None else row[column]
            assert value == expected[column] or math.isnan(expected[column])
    assert rows[0]["pareto"] is True
    assert rows[0]["baseline"] is None


def test_table_has_marks_units_and_notes() -> None:
    text = render(leaderboard(run()), "table")
    best = next(line for line in text.splitlines() if "★" in line and "complete" in line)
    assert " 6 " in best
    assert "+4.43" in best
    assert "20.8 M" in best
    assert "1.10 G" in best
    assert "hard (baseline)" in text
    assert "trial 3 failed: the loss of" in text
    assert "trial 8 was interrupted" in text
    assert "\x1b" not in text


def with_num_images(record: TrialRecord, **num_images: int) -> TrialRecord:
    """Return a record whose tasks are measured on some validation images."""
    measured = {
        task: replace(result, num_images=num_images.get(task, 500))
        for task, result in record.results.items()
    }
    return replace(record, results=measured, val_images=500)


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_note_counts_labeled_images_of_each_task(form: str) -> None:
    records = [with_num_images(record, boxes=23, depth=99, scene=23) for record in baselines()]
    text = render(leaderboard([*records, trial(2, state="failed")], top=1), form)
    assert (
        "boxes and scene are measured on 23 validation images: one image is 4.3 % of them." in text
    )
    assert "depth is measured on 99 validation images: one image is 1.0 % of them." in text
    assert text.count("Raise `search.trials` for more plans and second seeds.") == 1
    assert "measured on" not in render(leaderboard(map(with_num_images, baselines())), form)
    statistics = {0: SeedStatistics(2, 0.0, 0.0), 1: SeedStatistics(2, 1.0, 0.5)}
    text = render(leaderboard(records, confirmed=statistics), form)
    assert "measured on 23 validation images" in text
    assert "search.confirm" not in text


@pytest.mark.parametrize(("images", "is_few"), [(None, False), (1, True), (99, True), (100, False)])
def test_note_of_an_earlier_version_counts_all_images(images: int | None, is_few: bool) -> None:
    records = [replace(record, val_images=images) for record in baselines()]
    text = render(leaderboard(records), "table")
    noun = "image" if images == 1 else "images"
    assert (f"measured on at most {images} validation {noun}:" in text) == is_few


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_marks_and_notes_name_metrics_near_their_bounds(form: str) -> None:
    reference, better = results(0.02, 0.2, 1.0), results(0.3, 0.19, 0.9)
    records = [
        with_num_images(trial(0, baselines()[0].candidate.plan, reference, baseline="independent")),
        with_num_images(trial(1, measured=better)),
    ]
    inside = leaderboard(map(with_num_images, baselines()))
    assert not {"not_counted", "saturated", "is_noise"} & set(inside)
    records = [with_num_images(record, boxes=20, depth=20, scene=20) for record in records]
    frame = leaderboard(records, all_metrics=True)
    assert set(frame["not_counted"]) == {"boxes.mAP, boxes.mAP50"}
    assert set(frame["saturated"]) == {"scene.accuracy, scene.F1"}
    text = render(frame, form)
    assert "boxes.mAP ○" in text
    assert "scene.accuracy ●" in text
    assert "Δm does not count boxes.mAP (0.02) and boxes.mAP50 (0.03): " in text
    assert "Δm counts only losses of scene.accuracy (1) and scene.F1 (0.95): " in text
    assert "○ Δm does not count all metrics; ● Δm counts only losses of a metric" in text


def test_mark_shows_that_delta_m_is_noise() -> None:
    worst = {"boxes": replace(results(0.001)["boxes"], num_images=20)}
    records = [trial(0, measured=worst, baseline="independent"), trial(1, measured=worst)]
    frame = leaderboard(records)
    assert frame["is_noise"].all()
    text = render(frame, "table")
    assert "? Δm is noise" in text
    assert "no metric of the independent baseline exceeds its noise" in text


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [(1.0, "It is perfect on these validation images"), (0.1, "not have learned")],
)
def test_note_tells_a_perfect_metric_from_an_unlearned_one(accuracy: float, expected: str) -> None:
    records = [
        trial(number, measured=results(0.3 + number / 100, 0.2 + number / 100, accuracy))
        for number in range(4)
    ]
    text = render(leaderboard(records), "table")
    line = next(line for line in text.splitlines() if line.startswith("scene.accuracy is"))
    assert expected in line
    assert ("perfect" in line) != ("learned" in line)


@pytest.mark.parametrize(("last", "is_equal"), [(0.3, True), (0.3001, False)])
def test_note_warns_about_metric_equal_in_all_trials(last: float, is_equal: bool) -> None:
    boxes = [0.3, 0.3, 0.3, last]
    records = [
        trial(number, measured=results(value, 0.2 + number / 100, 0.6 - number / 100))
        for number, value in enumerate(boxes)
    ]
    line = "boxes.mAP is 0.3 in all 4 complete trials"
    for form in FORMATS:
        text = render(leaderboard(records), form)
        assert (line in text) == (is_equal and form in ("table", "markdown"))
        assert "depth.abs_rel is" not in text
        assert line not in render(leaderboard(records[:3]), form)


def test_table_hides_columns_with_equal_values() -> None:
    same = render(leaderboard(baselines()), "table")
    assert "loss weights" not in same
    assert "backbone" not in same
    weighted = render(leaderboard([*baselines(), trial(2, weights=(0.5, 2.0, 0.5))]), "table")
    assert "0.50 / 2.00 / 0.50" in weighted


@pytest.mark.parametrize(
    ("title", "text", "other"),
    [
        ("balancer", "cagrad", {"balancer": "cagrad"}),
        (
            "distillation",
            "baseline 0.157",
            {"distillation": Distillation("baseline", 0.15681666939123498)},
        ),
        ("attention", "yes", {"attention": True}),
    ],
)
def test_table_shows_columns_with_different_values(
    title: str, text: str, other: dict[str, Any]
) -> None:
    shown = render(leaderboard([*baselines(), trial(2, **other)]), "table")
    plain = render(leaderboard([*baselines(), trial(2)]), "table")
    assert title in shown
    assert text in shown
    assert title not in plain


@pytest.mark.parametrize("width", [72, 80, 100, 120, 200])
def test_table_fits_the_terminal_and_names_hidden_columns(width: int) -> None:
    text = render(leaderboard(run()), "table", width=width)
    assert max(map(len, text.splitlines())) <= width
    for title in ("params", "state", "time"):
        assert title in text
    assert ("hidden" in text) == (width < 110)


def test_new_display_column_is_one_entry_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    column = DisplayColumn("half", lambda frame: [f"{number / 2}" for number in frame["trial"]])
    monkeypatch.setattr(_display_columns, "DISPLAY_COLUMNS", (*DISPLAY_COLUMNS, column))
    for form in ("table", "markdown"):
        assert "half" in render(leaderboard(run()), form)


def test_each_hide_order_is_used_once() -> None:
    orders = sorted(column.hide_order for column in DISPLAY_COLUMNS if column.hide_order)
    assert orders == list(range(1, len(orders) + 1))


def test_table_with_color_has_ansi_codes() -> None:
    assert "\x1b[" in render(leaderboard(run()), "table", width=120, color=True)


def test_table_does_not_interpret_markup() -> None:
    text = render(
        leaderboard([trial(0, reason="[red]odd[/red]", state="failed")]), "table", width=90
    )
    assert "[red]odd[/red]" in text


def test_markdown_rows_have_equal_numbers_of_cells() -> None:
    lines = render(leaderboard(run()), "markdown").splitlines()
    table = [line.replace("\\|", "") for line in lines if line.startswith("|")]
    assert len(table) == 2 + 10
    assert len({line.count("|") for line in table}) == 1


def test_unknown_format_suggests_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'markdown'"):
        render(leaderboard([]), "markdwn")


def test_write_is_atomic(tmp_path: Path) -> None:
    path = tmp_path / "new" / "board.csv"
    write(leaderboard(run()), path, "csv")
    with path.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 10
    with pytest.raises(ConfigError):
        write(leaderboard(run()), path, "xlsx")
    assert [file.name for file in path.parent.iterdir()] == ["board.csv"]
