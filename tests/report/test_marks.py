"""Tests of the marks in a table: best, tied, over the limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtlsearch.report import render
from mtlsearch.results import Latency, SeedStatistics, TrialRecord, leaderboard
from tests.results.trials import baselines, results, run, trial

BETTER, BEST = results(0.33), results(0.36)


def records() -> list[TrialRecord]:
    return [*baselines(), trial(2, None, BETTER), trial(3, None, BEST)]


def marks(text: str) -> dict[str, str]:
    """Return the marks of each trial, by number."""
    rows = [line.strip("| ").split() for line in text.splitlines() if "complete" in line]
    firsts = [row[: row.index("complete")] for row in rows]
    cells = ([cell for cell in first if cell != "|"] for first in firsts)
    return {number: "".join(mark) for *mark, number in cells}


def first_cells(text: str) -> list[str]:
    """Return the marks and numbers of the trials, the best first."""
    return [line.split("complete")[0].strip() for line in text.splitlines() if "complete" in line]


def test_best_trial_over_the_limits_is_not_marked_best() -> None:
    limited = [
        replace(record, over_limits="params") if record.number == 3 else record
        for record in records()
    ]
    frame = leaderboard(limited)
    assert frame["over_limits"].tolist() == [True, False, False, False]
    shown = first_cells(render(frame, "table"))
    assert "✗" in shown[0]
    assert "★" not in shown[0]
    assert "★" in shown[1]
    assert "over_limits" not in leaderboard(records())


@pytest.mark.parametrize("form", ["table", "markdown"])
@pytest.mark.parametrize("sort", ["delta_m", "flops", "trial", "scene.accuracy"])
def test_marks_do_not_depend_on_the_number_of_rows(form: str, sort: str) -> None:
    whole = marks(render(leaderboard(run()), form))
    assert [number for number, mark in whole.items() if "★" in mark] == ["6"]
    for top in range(1, 11):
        text = render(leaderboard(run(), sort=sort, top=top), form)
        shown = marks(text)
        assert shown.items() <= whole.items()
        for mark in "★◆":
            assert (f"{mark} highest" in text or f"{mark} no trial" in text) == any(
                mark in marked for marked in shown.values()
            )
    statistics = {
        0: SeedStatistics(2, 0.0, 0.0),
        1: SeedStatistics(2, 1.0, 0.1),
        2: SeedStatistics(2, 4.0, 0.1),
    }
    cut = leaderboard(run(), sort="flops", top=1, confirmed=statistics)
    assert marks(render(cut, form)) == {"1": "◆"}


def test_confirmed_trials_come_first_and_ties_are_marked() -> None:
    statistics = {
        0: SeedStatistics(3, 0.0, 0.0),
        2: SeedStatistics(3, 4.0, 0.5),
        1: SeedStatistics(3, 3.8, 0.7, tied_with_best=True),
    }
    frame = leaderboard(records(), confirmed=statistics)
    assert frame["trial"].tolist() == [2, 1, 0, 3]
    assert frame["num_seeds"].tolist()[:3] == [3, 3, 3]
    text = render(frame, "table")
    shown = first_cells(text)
    assert "★" in shown[0]
    assert "≈" in shown[1]
    assert "+4.00 ± 0.50" in text
    assert "delta_m_mean" not in leaderboard(records())


def test_latencies_are_shown_if_measured() -> None:
    timed = [replace(record, latency=Latency(1.25, 8, 5.0)) for record in records()]
    frame = leaderboard(timed)
    assert set(frame["latency_ms"]) == {1.25}
    assert set(frame["latency_batch_ms"]) == {5.0}
    assert "1.2 ms" in render(frame, "table")
    assert not {"latency_ms", "latency_batch"} & set(leaderboard(records()).columns)
    assert TrialRecord.from_json(timed[0].to_json()) == timed[0]


def test_records_without_latency_and_limits_are_read() -> None:
    old = records()[0].to_json()
    del old["latency"], old["over_limits"]
    assert TrialRecord.from_json(old) == records()[0]
