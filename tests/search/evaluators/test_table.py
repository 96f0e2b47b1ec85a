"""Searches on a table of trained plans."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.errors import DataError, PlanError
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.search import TableEvaluator, build_candidate_space, plan_code, search
from mtlsearch.search.evaluators._plan_table import metrics_by_task, parse_plan_code, read_table
from mtlsearch.study import TrialStore

HEAD = "setting,plan,seed,epoch,b.f1:max,d.error:min,parameters,flops,seconds\n"
ROWS = (
    "x,01 01,0,1,0.5,0.4,20,200,1.0\n"
    "x,01 01,0,2,0.8,0.2,20,200,2.0\n"
    "x,00 01,0,1,0.1,0.1,15,150,1.0\n"
    "x,00 01,0,2,0.4,0.1,15,150,1.9\n"
    "x,00 01,1,2,0.3,0.1,15,150,1.9\n"
    "y,01 01,0,2,0.6,0.2,20,200,2.0\n"
)


def write(folder: Path, text: str) -> Path:
    path = folder / "plans.csv"
    path.write_text(text)
    return path


PLANS = [
    plan
    for tasks, units in ((1, 1), (2, 3), (3, 3), (4, 2), (5, 1))
    for plan in tree_plans("abcde"[:tasks], units)
]


PLANS.append(SharingPlan.hard("abc", 3).with_skips({1: ["b"]}))


@given(plan=st.sampled_from(PLANS))
def test_parse_inverts_plan_code(plan: SharingPlan) -> None:
    assert parse_plan_code(plan_code(plan), plan.tasks) == plan


@pytest.mark.parametrize("code", ["00 0?", "0 00", "00 10", ""])
def test_invalid_plan_code_is_refused(code: str) -> None:
    with pytest.raises(PlanError):
        parse_plan_code(code, ("a", "b"))


def test_result_is_last_epoch_of_the_lowest_seed(tmp_path: Path) -> None:
    table = TableEvaluator.read(write(tmp_path, HEAD + ROWS), setting="x")
    store = TrialStore.in_memory()
    space = build_candidate_space(TreeSpace(TreeSettings()), table, allowed_plans=table.plans)
    outcome = search(space, table, store, trials=9, seed=0)
    independent, hard, third = store.records()
    assert outcome.exhausted
    assert hard.state == "failed"
    assert "does not have" in hard.reason
    assert independent.results["b"].metrics["f1"] == 0.8
    assert (third.parameters, third.flops, third.epochs, third.seconds) == (15, 150, 2, 1.9)
    values = [trial.value for trial in store.trials if trial.value is not None]
    # The f1 is halved, which is worse, and the error is halved, which is better.
    assert values == [0.0, pytest.approx(0.0)]


def test_read_uses_the_rows_of_a_seed(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + ROWS + "x,01 01,1,2,0.6,0.2,20,200,2.0\n")
    first, second = (TableEvaluator.read(path, setting="x", seed=seed) for seed in (0, 1))
    assert (
        first.plans
        == second.plans
        == {
            SharingPlan.independent(["b", "d"], 2),
            SharingPlan.from_splits(["b", "d"], [1], 2),
        }
    )


@pytest.mark.parametrize(
    ("text", "setting", "match"),
    [
        (HEAD + ROWS, None, "several settings"),
        (HEAD + ROWS, "z", "not have the setting 'z'"),
        (HEAD.replace("seed", "sed") + ROWS, "x", "lacks columns: seed"),
        ("setting,plan,seed,epoch,parameters,flops,seconds\n", None, "lacks columns: metrics"),
        (HEAD + "x,00 01,0,2,0.4,0.1,15,150,1.9\n", None, "independent"),
        (HEAD + ROWS.replace(",0,", ",zero,", 1), "x", "'seed' must contain integers, got 'zero'"),
        (
            HEAD + "x,00 01,0,inf,0.4,0.1,15,150,1.9\n",
            "x",
            "'epoch' must contain integers of at least 1, got 'inf'",
        ),
        (HEAD + "x,00 01,0,2,&a,0.1,15,150,1.9\n", "x", "must contain numbers, got '&a'"),
        (HEAD + ROWS + "x,1,2,3,4,5,6,7,8,9,10\n", "x", "not a CSV table"),
        ("", None, "not a CSV table"),
        (HEAD + ROWS + "x,01 01 01,0,2,0.8,0.2,20,200,2.0\n", "x", "number of units"),
    ],
)
def test_invalid_table_is_refused(
    tmp_path: Path, text: str, setting: str | None, match: str
) -> None:
    with pytest.raises(DataError, match=match):
        TableEvaluator.read(write(tmp_path, text), setting=setting)


def test_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the table does not exist"):
        TableEvaluator.read(tmp_path / "none.csv")


def test_column_that_is_not_counted_has_no_effect_on_delta_m(tmp_path: Path) -> None:
    text = HEAD.replace("d.error:min", "d.error:min,d.nll:min-not-counted")
    rows = ROWS.replace(",20,200", ",9.5,20,200").replace(",15,150", ",0.1,15,150")
    both = write(tmp_path, text + rows)
    counted = TableEvaluator.read(both, setting="x")
    (plain := tmp_path / "plain.csv").write_text(HEAD + ROWS)
    plans = TableEvaluator.read(plain, setting="x").plans
    assert list(counted.plans) == list(plans)
    metrics = metrics_by_task(read_table(both, "x"))
    assert [spec.name for spec in metrics["d"].values()] == ["error", "nll"]
    assert [spec.in_delta_m for spec in metrics["d"].values()] == [True, False]
    assert not any(spec.higher_is_better for spec in metrics["d"].values())
