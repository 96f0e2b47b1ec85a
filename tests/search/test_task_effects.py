"""What tasks do to each other, estimated from the trials of a search."""

from __future__ import annotations

import numpy as np
import pytest
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.plugin import Candidate
from mtlsearch.search import (
    Effect,
    FunctionEvaluator,
    TaskEffects,
    build_candidate_space,
    search,
    task_effects,
)
from mtlsearch.study import StudyView, TrialStore

TASKS, UNITS = ("a", "b", "c"), 4


def effects_of(harm: float, noise: float = 0.0) -> TaskEffects:
    """Return the effects of a search in which ``b`` loses by sharing units with ``c``."""
    rng = np.random.default_rng(0)

    def score(candidate: Candidate) -> dict[str, float]:
        rows = candidate.plan.rows
        shared = sum(row[1] == row[2] for row in rows) / len(rows)
        values = {"a": 1.0, "b": 1.0 - harm * shared, "c": 1.0}
        return {task: value + noise * rng.standard_normal() for task, value in values.items()}

    evaluator = FunctionEvaluator(score, tasks=TASKS, units=UNITS)
    space = build_candidate_space(TreeSpace(TreeSettings()), evaluator)
    store = TrialStore.in_memory()
    search(space, evaluator, store, trials=14, seed=0)
    effects = task_effects(store.view())
    assert effects is not None
    return effects


def test_task_effects_of_planted_harm_name_it() -> None:
    effects = effects_of(0.1, noise=0.002)
    harm = effects.by_task["c"]["b"]
    assert harm.is_clear
    assert harm.mean == pytest.approx(-10.0, abs=3.0)
    assert "c harms b" in " ".join(effects.sentences)
    assert not effects.by_task["c"]["a"].is_clear
    (of_b,) = (group for group in effects.groups if "b" in group)
    assert "c" not in of_b
    assert "Separate networks" in effects.sentences[-1]


def test_effect_that_costs_little_separates_nothing() -> None:
    by_task = {"a": {"b": Effect(-0.9, 0.1)}, "b": {"a": Effect(0.1, 5.0)}}
    effects = TaskEffects(by_task, groups=(("a",), ("b",)), gain=Effect(2.0, 2.5))
    assert effects.sentences == (
        "a harms b: -0.90 ± 0.10 %.",
        "No separation into networks is shown to be better than one.",
    )


def test_task_effects_of_noise_claim_nothing() -> None:
    (sentence,) = effects_of(0.0, noise=0.01).sentences
    assert sentence.startswith("No effect of a task on another is shown")


def test_task_effects_before_any_trial_are_none() -> None:
    assert task_effects(StudyView()) is None
