"""``mtlsearch filter``, and what the verdict states of tasks that harm others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import load_run, save_resolved
from mtlsearch.plugin import Candidate
from mtlsearch.search import FunctionEvaluator, build_candidate_space, search
from mtlsearch.study import RunDirectory, open_run_storage, open_store
from tests.cli.conftest import RUN_FILE, SmallSearch, verdict_in
from tests.cli.program import call

UNITS = 4


def make_run(folder: Path, harm: float) -> Path:
    """Return a run with planted results: ``shapes`` loses by sharing units with ``scene``."""
    folder.mkdir()
    file = folder / "three.yaml"
    file.write_text(RUN_FILE.replace("tasks:\n", "tasks:\n  objects: {kind: detection}\n"))
    config = load_run(file).config
    run = RunDirectory(folder)
    save_resolved(config, run.config)
    noise = np.random.default_rng(0)

    def score(candidate: Candidate) -> dict[str, float]:
        rows, tasks = candidate.plan.rows, candidate.plan.tasks
        scene, shapes = tasks.index("scene"), tasks.index("shapes")
        shared = sum(row[scene] == row[shapes] for row in rows) / len(rows)
        values = {task: 1.0 - harm * shared * (task == "shapes") for task in tasks}
        return {task: value + 0.002 * noise.standard_normal() for task, value in values.items()}

    evaluator = FunctionEvaluator(score, tasks=("objects", "scene", "shapes"), units=UNITS)
    space = build_candidate_space(TreeSpace(TreeSettings()), evaluator)
    store = open_store(run, config, open_run_storage(run, config))
    search(space, evaluator, store, trials=14, seed=0)
    return folder


def test_filter_names_the_task_that_harms_another(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", harm=0.1)
    result = call("filter", run)
    assert result.returncode == 0, result.stderr
    header, *lines = result.stdout.splitlines()
    assert header.split("  ")[0] == "presence of"
    cells = next(line for line in lines if line.startswith("scene "))
    assert cells.rstrip().endswith("% *")  # the last column is that of shapes
    assert "scene harms shapes: -" in result.stdout
    assert "Separate networks are better than one: " in result.stdout
    sentence = verdict_in(run).sentences[-1]
    assert sentence.startswith("In one shared network, scene harms shapes (-")
    assert "objects" not in sentence
    assert sentence in call("leaderboard", run).stdout.splitlines()


def test_filter_of_noise_claims_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", harm=0.0)
    result = call("filter", run)
    assert result.returncode == 0, result.stderr
    assert "*" not in result.stdout
    assert result.stdout.splitlines()[-1].startswith("No effect of a task on another is shown")
    assert not any("shared network" in sentence for sentence in verdict_in(run).sentences)


@pytest.mark.xdist_group("small_search")
def test_filter_of_a_search_has_one_row_per_task(small_search: SmallSearch) -> None:
    result = call("filter", small_search.run)
    assert result.returncode == 0, result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()[1:3]] == ["scene", "shapes"]


def test_filter_without_trials_names_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE)
    run = RunDirectory(tmp_path / "run")
    config = load_run(file).config
    run.path.mkdir()
    save_resolved(config, run.config)
    open_store(run, config, open_run_storage(run, config))
    result = call("filter", run.path)
    assert result.returncode == 1
    assert "until both baselines are complete" in result.stderr
