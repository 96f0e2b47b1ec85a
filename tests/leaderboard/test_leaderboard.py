"""The leaderboard shows every trial, ranked by Δm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.errors import ConfigError
from mtlsearch.leaderboard import leaderboard, pareto_front
from mtlsearch.plugin import Knowledge
from mtlsearch.record import delta_m
from tests.leaderboard.trials import SPECS, baselines, results, run, trial


def test_every_trial_is_in_it_and_its_delta_is_the_one_law() -> None:
    records = run()
    frame = leaderboard(records)
    assert sorted(frame["trial"]) == [record.number for record in records]
    for record in records:
        row = frame[frame["trial"] == record.number].iloc[0]
        expected = delta_m(record.results, records[0].results)[0]
        assert np.isnan(row["delta_m"]) if expected is None else row["delta_m"] == expected
        assert row["plan"] == str(record.candidate.plan)
        assert row["params"] == record.parameters


def test_best_first_and_failed_last() -> None:
    frame = leaderboard(run())
    known = frame["delta_m"].dropna()
    assert list(known) == sorted(known, reverse=True)
    assert list(known.index) == list(range(len(known)))
    assert frame["state"].iloc[-1] == "failed"
    assert "became nan" in frame["why"].iloc[-1]


def test_primary_metrics_or_all() -> None:
    assert {at for at in leaderboard(run()).columns if "." in at} == {
        "boxes.mAP",
        "depth.abs_rel",
        "scene.accuracy",
    }
    every = leaderboard(run(), all_metrics=True)
    assert {at for at in every.columns if "." in at} == {
        f"{task}.{spec.name}" for task, specs in SPECS.items() for spec in specs
    }


def test_types_do_not_depend_on_the_rows() -> None:
    empty, full = leaderboard([]), leaderboard(run())
    assert empty.empty
    for column in empty.columns:
        assert empty[column].dtype == full[column].dtype, column
    assert isinstance(full["plan"].dtype, pd.StringDtype)
    assert full["trial"].dtype == np.int64


def test_without_a_baseline_there_is_no_delta() -> None:
    frame = leaderboard([trial(0), replace(trial(1), role="hard")])
    assert frame["delta_m"].isna().all()
    assert not frame["pareto"].any()
    assert frame["why"].str.contains("independent").all()


def test_an_undefined_delta_says_why() -> None:
    frame = leaderboard([*baselines(), trial(2, measured=results(boxes=float("nan")))])
    row = frame[frame["trial"] == 2].iloc[0]
    assert np.isnan(row["delta_m"])
    assert "boxes.mAP was not measured" in row["why"]


def test_a_complete_trial_with_something_to_know_says_it() -> None:
    frame = leaderboard([*baselines(), replace(trial(2), note="in 2 parts")])
    assert frame.set_index("trial")["why"].to_dict() == {0: "", 1: "", 2: "in 2 parts"}


@pytest.mark.parametrize(
    ("column", "falls"),
    [("boxes.mAP", True), ("depth.abs_rel", False), ("flops", False), ("trial", False)],
)
def test_sorting_puts_the_better_first(column: str, falls: bool) -> None:
    values = leaderboard(run(), sort=column)[column].dropna()
    assert list(values) == sorted(values, reverse=falls)


@pytest.mark.parametrize("column", list(leaderboard(run(), all_metrics=True).columns))
def test_any_column_sorts_and_loses_no_trial(column: str) -> None:
    frame = leaderboard(run(), sort=column, all_metrics=True)
    assert sorted(frame["trial"]) == list(range(10))
    if frame[column].isna().any():
        first_missing = int(frame[column].isna().to_numpy().argmax())
        assert frame[column].iloc[first_missing:].isna().all()


def test_a_misspelt_column_is_met_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'delta_m'") as error:
        leaderboard(run(), sort="delta")
    assert "flops" in error.value.allowed


def test_top_keeps_the_best_and_the_front_of_all() -> None:
    whole, top = leaderboard(run()), leaderboard(run(), top=3)
    pd.testing.assert_frame_equal(top, whole.head(3))
    with pytest.raises(ConfigError, match="top 0"):
        leaderboard(run(), top=0)


points = st.lists(
    st.tuples(st.one_of(st.integers(-3, 3), st.just(float("nan"))), st.integers(1, 4)), max_size=12
)


@given(points)
def test_the_front_is_what_nothing_beats(rows: list[tuple[float, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["delta_m", "flops"], index=range(5, 5 + len(rows)))
    front = pareto_front(frame)
    assert list(front.index) == list(frame.index)
    for (gain, cost), on_front in zip(rows, front, strict=True):
        beaten = any(
            g >= gain and c <= cost and (g, c) != (gain, cost) for g, c in rows if not np.isnan(g)
        )
        assert on_front == (not np.isnan(gain) and not beaten)


def test_the_front_may_be_of_other_columns() -> None:
    frame = leaderboard(run())
    front = pareto_front(frame, maximise="scene.accuracy", minimise="params")
    assert front[frame["trial"] == 1].all()
    assert frame.loc[front, "scene.accuracy"].max() == frame["scene.accuracy"].max()


def test_the_balance_is_shown_where_there_is_more_than_one() -> None:
    assert "balance" not in leaderboard(run()).columns
    assert "balance" not in leaderboard([]).columns
    frame = leaderboard([*run(), trial(10, balance="uw")])
    assert list(frame[frame["trial"] == 10]["balance"]) == ["uw"]
    assert set(frame[frame["trial"] != 10]["balance"]) == {"static"}


def test_knowledge_and_attention_are_shown_where_trials_differ() -> None:
    assert not {"knowledge", "attention"} & set(leaderboard(run()).columns)
    taught = trial(10, knowledge=Knowledge("distil", 0.25))
    frame = leaderboard([*run(), taught, trial(11, attention=True)]).set_index("trial")
    assert frame.loc[10, "knowledge"] == "distil 0.25"
    assert set(frame.drop(10)["knowledge"]) == {"none"}
    assert list(frame.index[frame["attention"]]) == [11]
