"""What a table marks: the best, what ties with it, what is over the budget."""

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
    """Each trial's marks, by number."""
    rows = [line.strip("| ").split() for line in text.splitlines() if "complete" in line]
    firsts = [row[: row.index("complete")] for row in rows]
    return {
        number: "".join(mark) for *mark, number in ([at for at in f if at != "|"] for f in firsts)
    }


def first_cells(text: str) -> list[str]:
    """The trials' marks and numbers, the best first."""
    return [line.split("complete")[0].strip() for line in text.splitlines() if "complete" in line]


def test_the_best_over_the_budget_is_shown_first_and_not_starred() -> None:
    dear = [replace(at, over_limits="params") if at.number == 3 else at for at in records()]
    frame = leaderboard(dear)
    assert frame["over_limits"].tolist() == [True, False, False, False]
    shown = first_cells(render(frame, "table"))
    assert "✗" in shown[0]
    assert "★" not in shown[0]
    assert "★" in shown[1]
    assert "over_limits" not in leaderboard(records())


@pytest.mark.parametrize("form", ["table", "markdown"])
@pytest.mark.parametrize("sort", ["delta_m", "flops", "trial", "scene.accuracy"])
def test_marks_are_of_the_whole_run_however_few_rows_are_shown(form: str, sort: str) -> None:
    whole = marks(render(leaderboard(run()), form))
    assert [number for number, mark in whole.items() if "★" in mark] == ["6"]
    for top in range(1, 11):
        text = render(leaderboard(run(), sort=sort, top=top), form)
        shown = marks(text)
        assert shown.items() <= whole.items()
        for mark in "★◆":
            assert (f"{mark} highest" in text or f"{mark} no trial" in text) == any(
                mark in at for at in shown.values()
            )
    found = {
        0: SeedStatistics(2, 0.0, 0.0),
        1: SeedStatistics(2, 1.0, 0.1),
        2: SeedStatistics(2, 4.0, 0.1),
    }
    cut = leaderboard(run(), sort="flops", top=1, confirmed=found)
    assert marks(render(cut, form)) == {"1": "◆"}


def test_confirmed_trials_come_first_by_mean_and_ties_are_marked() -> None:
    found = {
        0: SeedStatistics(3, 0.0, 0.0),
        2: SeedStatistics(3, 4.0, 0.5),
        1: SeedStatistics(3, 3.8, 0.7, ties=True),
    }
    frame = leaderboard(records(), confirmed=found)
    assert frame["trial"].tolist() == [2, 1, 0, 3]
    assert frame["num_seeds"].tolist()[:3] == [3, 3, 3]
    text = render(frame, "table")
    shown = first_cells(text)
    assert "★" in shown[0]
    assert "≈" in shown[1]
    assert "+4.00 ± 0.50" in text
    assert "delta_m_mean" not in leaderboard(records())


def test_latencies_are_shown_where_they_were_measured() -> None:
    timed = [replace(at, latency=Latency(1.25, 8, 5.0)) for at in records()]
    frame = leaderboard(timed)
    assert set(frame["latency_ms"]) == {1.25}
    assert set(frame["latency_batch_ms"]) == {5.0}
    assert "1.2 ms" in render(frame, "table")
    assert not {"latency_ms", "latency_batch"} & set(leaderboard(records()).columns)
    assert TrialRecord.from_json(timed[0].to_json()) == timed[0]


def test_old_records_are_read() -> None:
    old = records()[0].to_json()
    del old["latency"], old["over_limits"]
    assert TrialRecord.from_json(old) == records()[0]
