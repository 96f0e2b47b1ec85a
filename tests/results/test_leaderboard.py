"""Tests of the leaderboard: rows, columns, order and Pareto front."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtlsearch.errors import ConfigError
from mtlsearch.plugin import Distillation
from mtlsearch.report import render
from mtlsearch.report._display_columns import DISPLAY_COLUMNS
from mtlsearch.results import (
    TrialRecord,
    _leaderboard,
    delta_m,
    delta_m_error,
    front_of,
    leaderboard,
    objectives_in,
)
from mtlsearch.results._columns import COLUMNS, HEADINGS, Column, Condition
from tests.results.trials import SPECS, baselines, expectations, results, run, trial


def test_leaderboard_has_one_row_per_trial_with_delta_m() -> None:
    records = run()
    frame = leaderboard(records)
    assert sorted(frame["trial"]) == [record.number for record in records]
    for record in records:
        row = frame[frame["trial"] == record.number].iloc[0]
        expected = delta_m(record.results, records[0].results)[0]
        assert np.isnan(row["delta_m"]) if expected is None else row["delta_m"] == expected
        assert row["plan"] == str(record.candidate.plan)
        assert row["params"] == record.parameters


def test_leaderboard_ranks_best_first_and_failed_last() -> None:
    frame = leaderboard(run())
    deltas = frame["delta_m"].dropna()
    assert list(deltas) == sorted(deltas, reverse=True)
    assert list(deltas.index) == list(range(len(deltas)))
    assert frame["state"].iloc[-1] == "failed"
    assert "became nan" in frame["reason"].iloc[-1]


def test_leaderboard_columns_are_primary_metrics_or_all() -> None:
    assert {name for name in leaderboard(run()).columns if "." in name} == {
        "boxes.mAP",
        "depth.abs_rel",
        "scene.accuracy",
    }
    every = leaderboard(run(), all_metrics=True)
    assert {name for name in every.columns if "." in name} == {
        f"{task}.{spec.name}" for task, specs in SPECS.items() for spec in specs
    }


def test_errors_follow_their_numbers() -> None:
    measured = results()
    scene = replace(measured["scene"], errors={"accuracy": 0.05, "F1": 0.06})
    records = [replace(record, results={**measured, "scene": scene}) for record in baselines()]
    frame = leaderboard(records, with_errors=True)
    columns = list(frame.columns)
    assert columns[columns.index("delta_m") + 1] == "delta_m_error"
    assert columns[columns.index("scene.accuracy") + 1] == "scene.accuracy_error"
    assert list(frame["scene.accuracy_error"]) == [0.05, 0.05]
    assert frame[["boxes.mAP_error", "delta_m_error"]].isna().all(axis=None)  # unknown
    assert not [name for name in leaderboard(records).columns if name.endswith("_error")]


def test_error_of_delta_m_is_in_percent() -> None:
    measured = {
        task: replace(result, errors={spec.name: 0.01 for spec in result.specs})
        for task, result in results().items()
    }
    records = [replace(record, results=measured) for record in baselines()]
    frame = leaderboard(records, with_errors=True)
    error = delta_m_error(measured, measured)
    assert error is not None
    assert list(frame["delta_m_error"]) == [error, error]


def test_expected_delta_m_ranks_trials_and_defines_the_best() -> None:
    expected = expectations()
    plain, frame = leaderboard(run()), leaderboard(run(), expected=expected)
    assert plain["trial"].iloc[0] == plain.attrs["best"] == 6  # the highest measured Δm
    assert list(frame["trial"])[: len(expected)] == sorted(
        expected, key=lambda number: -expected[number].mean
    )
    assert frame["trial"].iloc[0] == frame.attrs["best"] == 5
    rows = frame.set_index("trial")
    for number, expectation in expected.items():
        assert rows.loc[number, "expected_delta_m"] == expectation.mean
        assert rows.loc[number, "expected_delta_m_sd"] == expectation.deviation
        assert rows.loc[number, "num_seeds"] == expectation.num_seeds
    assert rows["beats_independent"].isna().to_dict()[0]
    assert rows["beats_hard"].isna().to_dict()[1]
    assert rows.loc[[3, 8], "expected_delta_m"].isna().all()
    measured = leaderboard(run(), expected=expected, sort="delta_m")
    assert measured["trial"].tolist() == plain["trial"].tolist()
    assert measured.attrs["best"] == 5


def test_best_by_expected_delta_m_is_within_the_limits() -> None:
    limited = [
        replace(record, over_limits="params") if record.number == 5 else record for record in run()
    ]
    assert leaderboard(limited, expected=expectations()).attrs["best"] == 6


def test_columns_are_the_same_without_a_verdict() -> None:
    frame = leaderboard(run())
    assert list(frame.columns) == list(leaderboard(run(), expected=expectations()).columns)
    names = ["expected_delta_m", "expected_delta_m_sd", "beats_independent", "beats_hard"]
    assert frame[[*names, "num_seeds"]].isna().all(axis=None)


def test_leaderboard_dtypes_do_not_depend_on_rows() -> None:
    empty, full = leaderboard([]), leaderboard(run())
    assert empty.empty
    for column in empty.columns:
        assert empty[column].dtype == full[column].dtype, column
    assert isinstance(full["plan"].dtype, pd.StringDtype)
    assert full["trial"].dtype == np.int64


def test_leaderboard_without_baseline_has_no_delta_m() -> None:
    frame = leaderboard([trial(0), replace(trial(1), baseline="hard")])
    assert frame["delta_m"].isna().all()
    assert not frame["pareto"].any()
    assert frame["reason"].str.contains("independent").all()


def test_undefined_delta_m_has_a_reason() -> None:
    frame = leaderboard([*baselines(), trial(2, measured=results(boxes=float("nan")))])
    row = frame[frame["trial"] == 2].iloc[0]
    assert np.isnan(row["delta_m"])
    assert "boxes.mAP was not measured" in row["reason"]


def test_note_of_a_complete_trial_is_its_reason() -> None:
    frame = leaderboard([*baselines(), replace(trial(2), note="2 micro batches")])
    assert frame.set_index("trial")["reason"].to_dict() == {0: "", 1: "", 2: "2 micro batches"}


@pytest.mark.parametrize(
    ("column", "is_descending"),
    [("boxes.mAP", True), ("depth.abs_rel", False), ("flops", False), ("trial", False)],
)
def test_sort_puts_better_values_first(column: str, is_descending: bool) -> None:
    values = leaderboard(run(), sort=column)[column].dropna()
    assert list(values) == sorted(values, reverse=is_descending)


@pytest.mark.parametrize("column", list(leaderboard(run(), all_metrics=True).columns))
def test_sort_by_any_column_keeps_all_trials(column: str) -> None:
    frame = leaderboard(run(), sort=column, all_metrics=True)
    assert sorted(frame["trial"]) == list(range(10))
    if frame[column].isna().any():
        first_missing = int(frame[column].isna().to_numpy().argmax())
        assert frame[column].iloc[first_missing:].isna().all()


def test_sort_by_a_metric_adds_only_its_column() -> None:
    plain, frame = leaderboard(run()), leaderboard(run(), sort="boxes.mAP50")
    assert set(frame.columns) - set(plain.columns) == {"boxes.mAP50"}
    values = frame["boxes.mAP50"].dropna()
    assert list(values) == sorted(values, reverse=True)
    with pytest.raises(ConfigError, match=r"did you mean 'boxes\.mAP50'") as error:
        leaderboard(run(), sort="boxes.mAP500")
    assert set(leaderboard(run(), all_metrics=True).columns) == set(error.value.allowed)


@pytest.mark.parametrize("heading", [*(column.title for column in DISPLAY_COLUMNS), "parameters"])
def test_sort_takes_the_headings_of_tables(heading: str) -> None:
    name = HEADINGS.get(heading, heading)
    assert name in {column.name for column in COLUMNS}
    if name in leaderboard(run()):
        pd.testing.assert_frame_equal(
            leaderboard(run(), sort=heading), leaderboard(run(), sort=name)
        )


def test_sort_by_unknown_column_suggests_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'delta_m'") as error:
        leaderboard(run(), sort="delta")
    assert "flops" in error.value.allowed


def test_top_keeps_best_rows_and_front_of_all_trials() -> None:
    whole, top = leaderboard(run()), leaderboard(run(), top=3)
    pd.testing.assert_frame_equal(top, whole.head(3))
    cut = leaderboard(run(), sort="flops", top=2)
    assert cut["pareto"].tolist() == whole.set_index("trial").loc[cut["trial"], "pareto"].tolist()
    assert cut.attrs["best"] == whole["trial"].iloc[0]
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        leaderboard(run(), top=0)


def names(records: list[TrialRecord]) -> list[int]:
    return [record.number for record in records]


def test_pareto_column_compares_the_objectives() -> None:
    records = run()
    scene = objectives_in(records, ["scene.accuracy", "params"])
    frame = leaderboard(records, objectives=scene)
    front = frame[frame["pareto"]]
    assert set(front["trial"]) == set(names(front_of(records, scene)))
    assert front["scene.accuracy"].max() == frame["scene.accuracy"].max()
    assert front["params"].min() == frame.loc[frame["state"] == "complete", "params"].min()
    assert list(front_of(records, scene)) == sorted(
        front_of(records, scene), key=lambda record: record.parameters
    )


def test_pareto_column_defaults_to_delta_m_and_flops() -> None:
    records = run()
    frame = leaderboard(records)
    both = objectives_in(records, ["delta_m", "flops"])
    assert set(frame.loc[frame["pareto"], "trial"]) == set(names(front_of(records, both)))


def test_paused_trials_follow_complete_trials() -> None:
    """Their Δm is against the baseline at the same epoch and is not ranked."""
    first, hard = baselines()
    first = replace(first, rung_results={2: results(0.1, 0.4, 0.3)})
    ahead, behind = (
        replace(
            trial(number, state="running"),
            state="paused",
            epochs=2,
            rung_results={2: results(boxes, 0.4, 0.3)},
        )
        for number, boxes in ((2, 0.4), (3, 0.15))
    )
    frame = leaderboard([first, hard, ahead, behind])
    assert list(frame["state"]) == ["complete", "complete", "paused", "paused"]
    rows = frame.set_index("trial")
    assert rows.loc[[2, 3], "delta_m"].isna().all()
    assert rows.loc[2, "delta_m_when_paused"] == pytest.approx(100.0)
    assert rows.loc[3, "delta_m_when_paused"] == pytest.approx(100.0 / 6)
    assert rows["delta_m_when_paused"].isna()[[0, 1]].all()
    assert rows.loc[3, "reason"] == "2nd of 2 at epoch 2"
    assert not rows.loc[[2, 3], "pareto"].any()
    assert "delta_m_when_paused" not in leaderboard([first, hard]).columns


def test_balancer_column_is_included_if_trials_differ() -> None:
    assert "balancer" not in leaderboard(run()).columns
    assert "balancer" not in leaderboard([]).columns
    frame = leaderboard([*run(), trial(10, balancer="uw")])
    assert list(frame[frame["trial"] == 10]["balancer"]) == ["uw"]
    assert set(frame[frame["trial"] != 10]["balancer"]) == {"static"}


def test_distillation_and_attention_shown_if_trials_differ() -> None:
    assert not {"distillation", "attention"} & set(leaderboard(run()).columns)
    distilled = trial(10, distillation=Distillation("baseline", 0.25))
    frame = leaderboard([*run(), distilled, trial(11, attention=True)]).set_index("trial")
    assert frame.loc[10, "distillation"] == "baseline 0.25"
    assert set(frame.drop(10)["distillation"]) == {"none"}
    assert list(frame.index[frame["attention"]]) == [11]


def test_new_column_is_one_entry_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    column = Column(
        "num_copies",
        "int64",
        lambda row: sum(row.record.candidate.plan.copies),
        "copies of units",
        Condition("with all metrics", lambda rows: rows.all_metrics),
        is_descending=True,
    )
    monkeypatch.setattr(_leaderboard, "COLUMNS", (*COLUMNS, column))
    frame = leaderboard(run(), sort="num_copies", all_metrics=True)
    assert list(frame["num_copies"]) == sorted(frame["num_copies"], reverse=True)
    assert frame["num_copies"].dtype == np.int64
    assert "num_copies" not in leaderboard(run())


def test_time_of_a_killed_trial_is_empty() -> None:
    killed = [replace(record, seconds=0.0) if record.number == 8 else record for record in run()]
    frame = leaderboard(killed).set_index("trial")
    assert list(frame.index[frame["seconds"].isna()]) == [8]
    assert " 0.0 s" not in render(frame.reset_index())


def test_column_names_are_unique() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "." in name]  # these names belong to metrics


def test_interrupted_trial_names_the_trial_that_ran_again() -> None:
    frame = leaderboard(run()).set_index("trial")
    assert frame.loc[[8, 9], "plan"].nunique() == 1
    assert frame.loc[8, "reason"] == "its candidate ran again as trial 9"
    frame = leaderboard(run()[:9]).set_index("trial")
    assert frame.loc[8, "reason"] == "stopped before it ended"
