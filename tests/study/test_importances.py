"""Importances of searched params."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import FloatDistribution

from mtlsearch.config import RunConfig, save_resolved
from mtlsearch.study import RunDirectory, open_run_storage, open_store, read_importances
from tests.results.trials import TASKS, trial


def run_of(tmp_path: Path, count: int) -> tuple[Path, RunConfig]:
    """Write a run in which only the learning rate decides the value."""
    config = RunConfig.model_validate(
        {
            "data": {"sources": {"kind": "scenes"}},
            "tasks": {task: {"kind": "classification"} for task in TASKS},
        }
    )
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    save_resolved(config, run.config)
    store = open_store(run, config, open_run_storage(run, config))
    distributions = {name: FloatDistribution(0.0, 1.0) for name in ("learning_rate", "alpha")}
    for number, (rate, alpha) in enumerate(np.random.default_rng(0).random((count, 2)).tolist()):
        params = {"learning_rate": rate, "alpha": alpha}
        record = store.start(trial(number), params, distributions)
        store.finish(record, -abs(rate - 0.5))
    return run.path, config


def test_param_that_decides_the_value_comes_first(tmp_path: Path) -> None:
    importances, count = read_importances(*run_of(tmp_path, 40))
    assert count == 40
    assert next(iter(importances)) == "learning_rate"
    assert sum(importances.values()) == pytest.approx(1)
    assert importances["learning_rate"] > 0.7


def test_few_trials_have_no_importances(tmp_path: Path) -> None:
    assert read_importances(*run_of(tmp_path, 7)) == ({}, 7)
