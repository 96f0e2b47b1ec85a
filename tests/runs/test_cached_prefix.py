"""Activations of frozen units on disk change no number of a training, and no trial's images."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtlsearch.config import TrainConfig
from mtlsearch.data import DataModule
from mtlsearch.errors import InfrastructureError
from mtlsearch.models import MultiTaskNetwork, PrefixStore
from mtlsearch.plan import Branch, SharingPlan, extend_independent, extend_plan
from mtlsearch.plugin import Candidate
from mtlsearch.runs._cached_prefix import CachedPrefixData, cached_prefix
from mtlsearch.training import ProcessGroup, TrainingResult, TrainJob, train
from tests.data import fake
from tests.data.fake import Fake, opened, square
from tests.runs.test_kept_network import TREE, cut_of, extended, keep, task_of

NEW = ("breed", "weather")
CONFIG = {"epochs": 4, "batch_size": 4, "learning_rate": 0.01}
KIND = fake.LABELS["kind"]


@pytest.fixture(scope="module")
def data() -> DataModule:
    """Return 11 training images: some have no label, and the others are even or odd."""
    images = []
    for index in range(11):
        image = square(index)
        parity = {("odd" if index % 2 else "even"): image.labels["kind"]}
        images.append(replace(image, labels={} if index % 3 == 2 else {**image.labels, **parity}))
    labels = {**fake.LABELS, "even": KIND, "odd": KIND}
    source = Fake({"train": images, "val": images[:5]}, labels)
    return opened(source, image_size=(32, 32), augment={"crop": [0.6, 1.0], "flip": 0.5})


def job_of(
    network: MultiTaskNetwork, data: DataModule, versions: int, **changes: object
) -> TrainJob:
    return TrainJob(
        network=network,
        tasks={name: task_of(name) for name in NEW},
        data=CachedPrefixData(data, None, versions),
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
SAME = dict.fromkeys(NEW, "kind")
PARITY = {"breed": "even", "weather": "odd"}


@pytest.mark.parametrize(
    ("name", "plan", "versions", "labels", "precision"),
    [
        ("test_resnet", PLANS["in the middle"], 2, SAME, "fp32"),
        ("test_resnet", PLANS["apart"], 1, SAME, "bf16"),
        ("test_resnet", PLANS["apart"], 1, PARITY, "fp32"),
        ("test_vit", PLANS["apart"], 2, SAME, "fp32"),
    ],
)
def test_cached_prefix_changes_no_number(
    name: str,
    plan: SharingPlan,
    versions: int,
    labels: dict[str, str],
    precision: str,
    data: DataModule,
    tmp_path: Path,
) -> None:
    cut = cut_of(name)
    kept = keep(tmp_path, cut, TREE)
    results: list[TrainingResult] = []
    states, num_calls = [], []
    for is_cached in (False, True):
        network = extended(kept, cut, Candidate(plan))
        job = job_of(network, data, versions, precision=precision)
        job, calls = replace(job, label_by_task=labels), calls_of_first_unit(network)
        if is_cached:
            with cached_prefix(job, data, tuple(kept.tasks), tmp_path, pytest.fail) as cached:
                results.append(train(cached))
        else:
            results.append(train(job))
        states.append(network.state_dict())
        num_calls.append(len(calls))
    assert num_calls[1] < num_calls[0]
    for left, right in zip(results[0].epochs, results[1].epochs, strict=True):
        assert (left.train_losses, left.metrics) == (right.train_losses, right.metrics)
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key


def calls_of_first_unit(network: MultiTaskNetwork) -> list[int]:
    """Return a list that grows with each run of the first module of the first unit."""
    calls: list[int] = []
    modules = network.backbones.unit_modules(0, "scene")
    first = next(iter(modules.values()))
    weights = next(module for module in first.modules() if hasattr(module, "weight"))
    weights.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_labels_on_different_images_are_stored_in_one_epoch(
    data: DataModule, tmp_path: Path
) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    network = extended(kept, cut, Candidate(PLANS["apart"]))
    job = replace(job_of(network, data, 1, batch_size=11), label_by_task=PARITY)
    with cached_prefix(job, data, tuple(kept.tasks), tmp_path, pytest.fail) as cached:
        calls = calls_of_first_unit(network)
        train(cached)
        assert isinstance(cached.data, CachedPrefixData)
        assert cached.data.store is not None
        assert cached.data.store.is_complete
    assert len(calls) == 2  # once per split


PROCESSES = ProcessGroup(0, 2)


@pytest.mark.parametrize(
    ("plan", "changes", "group", "reason"),
    [
        (PLANS["apart"], {}, ProcessGroup(), None),
        (extend_independent(TREE, NEW), {}, ProcessGroup(), "no frozen units"),
        (PLANS["apart"], {"cache_limit": 1e-6}, ProcessGroup(), "`train.cache_limit` is 1e-06"),
        (PLANS["apart"], {"accumulation_steps": 2}, ProcessGroup(), "`train.accumulation_steps`"),
        (PLANS["apart"], {"compile": True}, ProcessGroup(), "`train.compile` is set"),
        (PLANS["apart"], {}, PROCESSES, "several processes"),
    ],
)
def test_every_trial_gets_the_same_images(
    plan: SharingPlan,
    changes: dict[str, object],
    group: ProcessGroup,
    reason: str | None,
    data: DataModule,
    tmp_path: Path,
) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    notes: list[str] = []
    job = job_of(extended(kept, cut, Candidate(plan)), data, 2, **changes)
    job = replace(job, data=data, process_group=group)
    with cached_prefix(job, data, tuple(kept.tasks), tmp_path, notes.append) as same:
        for epoch, version in enumerate((0, 1, 0)):
            batches = zip(
                same.data.train_batches(epoch, 4),
                data.train_batches(epoch, 4, version),
                strict=True,
            )
            assert all(torch.equal(left.images, right.images) for left, right in batches)
    assert len(notes) == (reason is not None)
    assert reason is None or reason in notes[0]


def test_batches_that_memory_splits_are_computed_and_reported(
    data: DataModule, tmp_path: Path
) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    network = extended(kept, cut, Candidate(PLANS["apart"]))
    notes: list[str] = []
    job = job_of(network, data, 1)
    with cached_prefix(job, data, tuple(kept.tasks), tmp_path, notes.append) as cached:
        for batch in cached.data.train_batches(0, 4):
            network.backbones(batch.images[:2], NEW)
    assert "memory of the device" in notes[0]


def test_full_disk_is_an_error_before_the_training(
    data: DataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    job = job_of(extended(kept, cut, Candidate(PLANS["apart"])), data, 1)
    monkeypatch.setattr(os, "posix_fallocate", fail)
    with (
        pytest.raises(InfrastructureError, match="no space is left"),
        cached_prefix(job, data, tuple(kept.tasks), tmp_path / "trial", pytest.fail),
    ):
        pass
    assert not list((tmp_path / "trial").iterdir())


@pytest.mark.parametrize("has_fallocate", [True, False])
def test_killed_training_leaves_no_file(
    has_fallocate: bool, data: DataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    job = job_of(extended(kept, cut, Candidate(PLANS["apart"])), data, 1)
    if not has_fallocate:
        monkeypatch.delattr(os, "posix_fallocate")
    with cached_prefix(job, data, tuple(kept.tasks), tmp_path / "trial", pytest.fail) as cached:
        assert isinstance(cached.data, CachedPrefixData)
        assert isinstance(cached.data.store, PrefixStore)
        assert cached.data.store.num_bytes > 0
        assert not list((tmp_path / "trial").iterdir())  # files have no name


def test_what_untrained_units_ignore_is_stored(data: DataModule, tmp_path: Path) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    needed = []
    for is_zero in (False, True):
        network = extended(kept, cut, Candidate(PLANS["in the middle"])).eval()
        if is_zero:
            with torch.no_grad():
                for parameter in network.backbones.unit_parameters(2, "breed").values():
                    parameter.zero_()
        images = next(iter(data.eval_batches("val", 2))).images
        outputs = network.backbones.plan_store(images, NEW, tuple(kept.tasks))
        assert outputs is not None
        needed.append({key for key, output in outputs.items() if output.is_needed})
    assert needed[0] == needed[1]
