"""Activations of frozen units on disk change no number of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtlsearch.config import TrainConfig
from mtlsearch.data import DataModule
from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plan import Branch, SharingPlan, extend_plan
from mtlsearch.plugin import Candidate
from mtlsearch.runs._cached_prefix import CachedPrefixData, cached_prefix
from mtlsearch.training import TrainingResult, TrainJob, train
from tests.data.fake import Fake, opened, square
from tests.runs.test_kept_network import TREE, cut_of, extended, keep, task_of

NEW = ("breed", "weather")
CONFIG = {"epochs": 4, "batch_size": 4, "learning_rate": 0.01}


class NoStore:
    """Store without outputs, for the same images and augmentation."""

    def start(self, slot: object, indices: Sequence[int]) -> None:
        pass

    def end(self) -> None:
        pass


@pytest.fixture(scope="module")
def data() -> DataModule:
    """Return 11 training images, of which some have no label."""
    images = [square(index) for index in range(11)]
    unlabeled = [
        replace(image, labels={}) if index % 3 == 2 else image for index, image in enumerate(images)
    ]
    source = Fake({"train": unlabeled, "val": images[:5]})
    return opened(source, image_size=(32, 32), augment={"crop": [0.6, 1.0], "flip": 0.5})


def job_of(
    network: MultiTaskNetwork, data: DataModule, versions: int, **changes: object
) -> TrainJob:
    return TrainJob(
        network=network,
        tasks={name: task_of(name) for name in NEW},
        data=CachedPrefixData(data, NoStore(), versions),  # type: ignore[arg-type]
        config=TrainConfig.model_validate({**CONFIG, "cache_prefix": versions, **changes}),
        label_by_task=dict.fromkeys(NEW, "kind"),
        loss_weights=dict.fromkeys(NEW, 1.0),
        learning_rate=0.01,
        device=torch.device("cpu"),
        seed=0,
    )


PLANS = {
    "in the middle": extend_plan(
        TREE, [Branch("breed", "scene", 2), Branch("weather", "breed", 3)]
    ),
    "apart": extend_plan(TREE, [Branch("breed", "scene", 1), Branch("weather", "shapes", 3)]),
}


@pytest.mark.parametrize(
    ("name", "plan", "versions"),
    [
        ("test_resnet", PLANS["in the middle"], 2),
        ("test_resnet", PLANS["apart"], 1),
        ("test_vit", PLANS["apart"], 2),
    ],
)
def test_cached_prefix_changes_no_number(
    name: str, plan: SharingPlan, versions: int, data: DataModule, tmp_path: Path
) -> None:
    cut = cut_of(name)
    kept = keep(tmp_path, cut, TREE)
    results: list[TrainingResult] = []
    states, num_calls = [], []
    for is_cached in (False, True):
        network = extended(kept, cut, Candidate(plan))
        job, calls = job_of(network, data, versions), calls_of_first_unit(network)
        with cached_prefix(job, data, tuple(kept.tasks), tmp_path, pytest.fail) as cached:
            if not is_cached:
                network.backbones.set_store(None)
            results.append(train(cached if is_cached else job))
        states.append(network.state_dict())
        num_calls.append(len(calls))
    assert num_calls[1] < num_calls[0]
    for left, right in zip(results[0].epochs, results[1].epochs, strict=True):
        assert (left.train_losses, left.metrics) == (right.train_losses, right.metrics)
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key
    assert not (tmp_path / "prefix").exists()


def calls_of_first_unit(network: MultiTaskNetwork) -> list[int]:
    """Return a list that grows with each run of the first module of the first unit."""
    calls: list[int] = []
    modules = network.backbones.unit_modules(0, "scene")
    first = next(iter(modules.values()))
    weights = next(module for module in first.modules() if hasattr(module, "weight"))
    weights.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_cached_prefix_beyond_the_limit_is_not_stored(data: DataModule, tmp_path: Path) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    notes: list[str] = []
    job = job_of(extended(kept, cut, Candidate(PLANS["apart"])), data, 1, cache_limit=1e-6)
    with cached_prefix(job, data, tuple(kept.tasks), tmp_path, notes.append) as same:
        assert same is job
    assert "`train.cache_limit` is 1e-06" in notes[0]
