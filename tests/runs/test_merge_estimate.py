"""Estimates of plans from merged single-task networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from mtlsearch.config import load_run
from mtlsearch.errors import RunError
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.registry import build_registry
from mtlsearch.results import TrialRecord, reference_trial
from mtlsearch.runs import Session, open_session
from mtlsearch.runs._merge_estimate import MergeEstimate, merge_estimate
from mtlsearch.runs._merge_price import MergeSettings, merge_obstacle, merge_price
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory, read_records
from tests.cli.program import call

SCENES = Path(__file__).resolve().parents[2] / "examples" / "scenes.yaml"
FEW_IMAGES = ("data.sources.train=24", "data.sources.val=8", "train.epochs=1", "data.cache=null")
FAST = MergeSettings(num_images=16, num_steps=2, factors=(None, 1.0))


class Stages(NullProgress):
    """Progress that keeps the finished paths of each call."""

    def __init__(self) -> None:
        self.counts: list[tuple[int, int]] = []

    def stage(self, message: str, done: int, total: int) -> None:
        if "merged" in message:
            self.counts.append((done, total))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run directory with a trained ``independent`` baseline of a pretrained backbone."""
    folder = tmp_path_factory.mktemp("merging")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        save_file(timm.create_model("test_resnet").state_dict(), folder / "w.safetensors")
    settings = (*FEW_IMAGES, f"backbone.checkpoint_path={folder / 'w.safetensors'}")
    overrides = [part for setting in settings for part in ("--set", setting)]
    process = call(
        *("search", SCENES, "--out", folder / "run", "--device", "cpu", "--trials", "1"), *overrides
    )
    assert process.returncode == 0, process.stderr
    return folder / "run"


def session_of(run: Path) -> tuple[Session, TrialRecord]:
    directory = RunDirectory(run)
    resolved = build_registry().resolve(load_run(directory.config))
    session = open_session(resolved, directory, device=torch.device("cpu"), progress=NullProgress())
    independent = reference_trial(read_records(run, resolved.config))
    assert independent is not None
    return session, independent


def plans_of(session: Session) -> list[SharingPlan]:
    units = len(session.evaluator.units(session.config.backbone.names[0]))
    return list(tree_plans(session.evaluator.tasks, units, first_shared=units - 1))


def estimate(run: Path, stages: Stages | None = None, **changes: Any) -> MergeEstimate:
    session, independent = session_of(run)
    plans = changes.pop("plans", None) or plans_of(session)
    settings = changes.pop("settings", FAST)
    return merge_estimate(
        session, independent, plans, progress=stages or Stages(), settings=settings
    )


def test_every_path_is_measured_once_and_written(trained: Path) -> None:
    session, _ = session_of(trained)
    plans = plans_of(session)
    stages = Stages()
    merged = estimate(trained, stages)
    unshared = SharingPlan.independent(session.evaluator.tasks, len(plans[0].rows))
    for task, results in merged.results.items():
        assert set(results) == {plan.path_of(task) for plan in [unshared, *plans]}
    written = json.loads((trained / "merging.json").read_text())
    keys = [(item["task"], str(item["path"]), item["factor"]) for item in written["paths"]]
    assert len(keys) == len(set(keys)) == stages.counts[-1][0] == stages.counts[-1][1]
    assert merged.factor in FAST.factors


def test_changes_are_against_the_path_of_independent(trained: Path) -> None:
    session, _ = session_of(trained)
    plans = plans_of(session)
    unshared = SharingPlan.independent(session.evaluator.tasks, len(plans[0].rows))
    changes = estimate(trained).changes([unshared, *plans])
    assert set(changes) == set(session.evaluator.tasks)
    for task, by_plan in changes.items():
        assert set(by_plan) == {unshared, *plans}
        assert by_plan[unshared] == 0.0
        for plan in plans:
            for other in plans:
                if plan.path_of(task) == other.path_of(task):
                    assert by_plan[plan] == by_plan[other]


def test_second_call_measures_nothing_again(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = estimate(trained)
    before = (trained / "merging.json").read_bytes()
    monkeypatch.setattr("mtlsearch.training.realign", None)
    second = estimate(trained)
    assert second.results == first.results
    assert second.factor == first.factor
    assert (trained / "merging.json").read_bytes() == before


def test_other_settings_measure_again(trained: Path) -> None:
    estimate(trained)
    stages = Stages()
    estimate(trained, stages, settings=MergeSettings(16, 1, (None,)))
    assert stages.counts[0][0] == 0
    origin = json.loads((trained / "merging.json").read_text())["origin"]
    assert (origin["num_steps"], origin["factors"]) == (1, [None])


def test_interrupted_estimate_resumes(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained / "merging.json").unlink(missing_ok=True)
    expected = estimate(trained).results
    (trained / "merging.json").unlink()
    from mtlsearch.training import realign

    calls = 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return realign(*arguments, **options)

    monkeypatch.setattr("mtlsearch.training.realign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        estimate(trained)
    stages = Stages()
    assert estimate(trained, stages).results == expected
    assert stages.counts[0][0] > 0
    assert stages.counts[-1][0] == stages.counts[-1][1]


def test_damaged_file_is_an_error(trained: Path) -> None:
    (trained / "merging.json").write_text('{"paths": []}')
    with pytest.raises(RunError, match="cannot read the metrics of merged networks"):
        estimate(trained)
    (trained / "merging.json").unlink()


def test_missing_weights_are_an_error(trained: Path) -> None:
    weights = RunDirectory(trained).weights(0)
    kept = weights.rename(weights.with_suffix(".kept"))
    with pytest.raises(RunError, match="weights of trial 0 do not exist"):
        estimate(trained)
    kept.rename(weights)


def test_backbone_without_weights_is_an_error(trained: Path) -> None:
    text = (trained / "run.yaml").read_text()
    lines = [line for line in text.splitlines() if "checkpoint_path" not in line]
    (trained / "run.yaml").write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match="requires pretrained weights") as caught:
        estimate(trained)
    assert "backbone.checkpoint_path" in str(caught.value.next_step)
    (trained / "run.yaml").write_text(text)


def test_paths_measured_together_equal_those_alone(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without training steps, a path does not depend on those that it shares its beginning with."""
    settings = MergeSettings(16, 0, (None, 0.5))
    together = estimate(trained, settings=settings)
    (trained / "merging.json").unlink()
    monkeypatch.setattr("mtlsearch.runs._merge_price.MAX_PATHS", 1)
    alone = estimate(trained, settings=settings)
    assert alone.factor == together.factor
    for task, results in alone.results.items():
        for path, result in results.items():
            assert result.metrics == pytest.approx(dict(together.results[task][path].metrics))


def test_price_rises_with_steps_images_and_paths(trained: Path) -> None:
    session, _ = session_of(trained)
    plans = plans_of(session)
    price = merge_price(session, plans, MergeSettings(16, 2))
    assert price < merge_price(session, plans, MergeSettings(32, 2))
    assert price < merge_price(session, plans, MergeSettings(16, 3))
    assert merge_price(session, plans[:1], MergeSettings(16, 2)) < price


def test_price_of_one_path_equals_a_training_of_its_steps(trained: Path) -> None:
    """One path costs what training costs per image, and `hard` is measured once per factor."""
    session, _ = session_of(trained)
    hard = SharingPlan.hard(session.evaluator.tasks, len(plans_of(session)[0].rows))
    num_steps = session.data.train_steps(session.config.train.batch_size)
    one_epoch = MergeSettings(num_images=0, num_steps=num_steps, factors=(None,))
    assert merge_price(session, [hard], one_epoch) == pytest.approx(2.0)


def test_obstacles_are_named(trained: Path, tmp_path: Path) -> None:
    session, independent = session_of(trained)
    plans = plans_of(session)
    assert "trainings of independent" in merge_obstacle(session, independent, plans)
    config = session.config.model_copy(
        update={"train": session.config.train.model_copy(update={"epochs": 1000})}
    )
    assert merge_obstacle(replace(session, config=config), independent, plans) == ""
    elsewhere = replace(session.evaluator, run=RunDirectory(tmp_path))
    reason = merge_obstacle(replace(session, evaluator=elsewhere), independent, plans)
    assert reason == "the weights of trial 0 do not exist"
    backbone = session.config.backbone.model_copy(update={"checkpoint_path": None})
    config = session.config.model_copy(update={"backbone": backbone})
    reason = merge_obstacle(replace(session, config=config), independent, plans)
    assert reason == "the backbone is not pretrained"


def test_progress_counts_only_the_paths_of_the_call(trained: Path) -> None:
    estimate(trained)
    session, _ = session_of(trained)
    stages = Stages()
    estimate(trained, stages, plans=plans_of(session)[:1])
    written = json.loads((trained / "merging.json").read_text())["paths"]
    done, total = stages.counts[-1]
    assert done == total < len(written)
