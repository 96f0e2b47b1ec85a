"""Extensions that tune the last shared units: what changes, what does not, and the limit of it."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from mtlsearch.config import load_run
from mtlsearch.errors import ConfigError, TrainingError
from mtlsearch.models import MultiTaskNetwork, PrefixStore
from mtlsearch.plan import Branch, SharingPlan, extend_heads, extend_independent, extend_plan
from mtlsearch.plugin import Candidate
from mtlsearch.registry import build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs import KeptNetwork
from mtlsearch.runs._kept_validation import KeptValidation
from mtlsearch.search._rejection import with_limits
from mtlsearch.training import preservation_loss
from mtlsearch.training._feature_distillation import NetworkWithAuxiliaryLoss
from tests.cli.conftest import records_of
from tests.cli.program import call
from tests.runs.test_kept_network import KEPT, REJOINING, TREE, cut_of, extended, images, keep

NEW = ("breed",)
CASES = {
    "BatchNorm, head alone": ("test_resnet", TREE, 3, 1),
    "BatchNorm, more units than are shared": ("test_resnet", TREE, 2, 3),
    "BatchNorm, shares again": ("test_resnet", REJOINING, 2, 1),
    "BatchNorm, statistics by path": ("test_resnet", REJOINING.with_statistics("path"), 3, 2),
    "ViT, head alone": ("test_vit", TREE, 3, 2),
}

RUN_FILE = """\
data:
  root: data
  sources: {kind: scenes, train: 8, val: 6, test: 3, image_size: 32}
  image_size: 32
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation, channels: 8}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 8}
search: {space: tree, trials: 2}
"""
EXTENSION = """\
data:
  sources: {kind: scenes, train: 8, val: 4, test: 3, image_size: 32}
tasks:
  objects: {kind: detection, channels: 8}
train: {epochs: 1, batch_size: 4, learning_rate: 0.1, cache_prefix: 1}
search: {trials: 4, stop_when_settled: false, max_seeds: 1}
"""


def tuning(folder: Path, name: str, plan: SharingPlan, unfreeze: int) -> KeptNetwork:
    kept = keep(folder, cut_of(name), plan)
    return replace(kept, config=kept.config.model_copy(update={"unfreeze": unfreeze}))


def branched(kept: KeptNetwork, depth: int) -> Candidate:
    plan = extend_plan(kept.plan, [Branch("breed", "scene", depth)])
    return Candidate(plan, origins={"breed": "scene"} if depth < 3 else None)


def learner_of(kept: KeptNetwork, network: MultiTaskNetwork, name: str) -> NetworkWithAuxiliaryLoss:
    teacher = copy.deepcopy(kept.network(cut_of(name)))
    loss = preservation_loss(1.0, teacher, kept.tuned_tasks(network.plan))
    return NetworkWithAuxiliaryLoss(network, loss.term, loss.further_tasks)


def train(learner: NetworkWithAuxiliaryLoss) -> None:
    """Train the new task on images without labels of others."""
    parameters = [item for item in learner.parameters() if item.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    learner.train()
    for step in range(2):
        optimizer.zero_grad()
        outputs, distances = learner(images(step), NEW)
        loss = sum(value.square().mean() for value in outputs["breed"].values())
        (loss + torch.stack(list(distances.values())).mean()).backward()
        optimizer.step()
    learner.eval()


@pytest.mark.parametrize(("name", "plan", "depth", "unfreeze"), CASES.values(), ids=CASES)
def test_training_changes_weights_of_the_last_shared_units_only(
    name: str, plan: SharingPlan, depth: int, unfreeze: int, tmp_path: Path
) -> None:
    kept = tuning(tmp_path, name, plan, unfreeze)
    candidate = branched(kept, depth)
    copies = kept.tuned_copies(candidate.plan)
    assert [unit for unit, _ in copies] == list(range(depth))[-unfreeze:]
    network = extended(kept, cut_of(name), candidate)
    before = copy.deepcopy(network.state_dict())
    train(learner_of(kept, network, name))
    tuned = {
        id(parameter)
        for unit, group in copies
        for parameter in network.unit_parameters(unit, group).values()
    }
    own_ids = {id(item) for task in NEW for item in network.private_parameters(task)}
    names = {id(item): key for key, item in network.named_parameters()}
    changed = {key for key, value in network.state_dict().items() if (value != before[key]).any()}
    assert {names[item] for item in tuned} & changed
    allowed = {names[item] for item in tuned | own_ids}
    parameters = set(names.values())
    assert changed & parameters <= allowed
    # Statistics belong to the copies of the new task.
    assert all(f".{task}." not in key for key in changed - parameters for task in KEPT)
    kept.check_unchanged(network, images(7), cut_of(name))
    with torch.no_grad():
        next(network.head("scene").parameters()).add_(1e-3)
    with pytest.raises(TrainingError, match="of task 'scene' is not that of the network in use"):
        kept.check_unchanged(network, images(7), cut_of(name))


def test_tasks_without_a_tuned_unit_keep_outputs_by_bit(tmp_path: Path) -> None:
    kept = tuning(tmp_path, "test_resnet", TREE, 1)
    candidate = branched(kept, 3)
    assert kept.tuned_tasks(candidate.plan) == ("scene",)
    network = extended(kept, cut_of("test_resnet"), candidate)
    train(learner_of(kept, network, "test_resnet"))
    with torch.no_grad():
        used = kept.network(cut_of("test_resnet"))(images(5))
        outputs = network(images(5))
    assert all(torch.equal(value, outputs["shapes"][key]) for key, value in used["shapes"].items())
    assert any(
        not torch.equal(value, outputs["scene"][key]) for key, value in used["scene"].items()
    )


def test_nothing_is_tuned_without_unfreeze_or_shared_units(tmp_path: Path) -> None:
    frozen = tuning(tmp_path, "test_resnet", TREE, 0)
    kept = replace(frozen, config=frozen.config.model_copy(update={"unfreeze": 3}))
    assert frozen.tuned_copies(extend_heads(TREE, NEW)) == ()
    assert kept.tuned_copies(extend_independent(TREE, NEW)) == ()
    assert kept.tuned_copies(branched(kept, 0).plan) == ()
    assert kept.without_tuning().tuned_tasks(extend_heads(TREE, NEW)) == ()


def test_preservation_loss_leads_back_to_the_teacher(tmp_path: Path) -> None:
    kept = tuning(tmp_path, "test_resnet", TREE, 2)
    network = extended(kept, cut_of("test_resnet"), branched(kept, 3))
    learner = learner_of(kept, network, "test_resnet").eval()

    def distance() -> torch.Tensor:
        distances = learner(images(9), NEW)[1]
        assert set(distances) == set(KEPT)
        return torch.stack(list(distances.values())).mean()

    assert distance() == 0
    backbone = [item for item in network.backbones.parameters() if item.requires_grad]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in backbone:
            parameter.mul_(1 + 0.05 * torch.randn(parameter.shape, generator=generator))
    before = distance()
    gradients = torch.autograd.grad(before, backbone)
    assert before > 0
    assert all(gradient.any() for gradient in gradients)
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    with torch.no_grad():
        for parameter, gradient in zip(backbone, gradients, strict=True):
            parameter.sub_(1e-3 * gradient / norm)
    assert distance() < before


@pytest.mark.parametrize(("plan", "tuned"), [(TREE, ("scene",)), (REJOINING, KEPT)])
def test_prefix_store_ends_before_the_tuned_units(
    plan: SharingPlan, tuned: tuple[str, ...], tmp_path: Path
) -> None:
    kept = tuning(tmp_path, "test_resnet", plan, 1)
    network = extended(kept, cut_of("test_resnet"), branched(kept, 3)).eval()
    assert kept.tuned_tasks(network.plan) == tuned
    tasks, frozen = (*NEW, *tuned), tuple(kept.tasks)
    outputs = network.backbones.plan_store(images(0), tasks, frozen)
    assert outputs is not None
    with torch.no_grad():
        expected = network.features(images(0), tasks)
        store = PrefixStore(outputs, tmp_path, {"train": 4, "val": 4})
        network.backbones.set_store(store, tasks, frozen)
        for parameter in network.unit_parameters(2, (*NEW, *tuned)).values():
            parameter.mul_(1.5)  # a stored output of this unit would not change
        actual = {}
        for slot, running in (("train", tasks), ("val", NEW)):  # validation runs the new tasks
            for _ in range(2):
                store.start(slot, range(4))
                actual[slot] = network.features(images(0), running)
        network.backbones.set_store(None)
        computed = network.features(images(0), tasks)
    assert store.is_complete
    for task in tasks:
        assert all(map(torch.equal, actual["train"][task], computed[task]))
        assert not torch.equal(actual["train"][task][-1], expected[task][-1])
    assert all(map(torch.equal, actual["val"]["breed"], computed["breed"]))


def test_absent_validation_images_are_an_error_with_their_place(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    labels = {name: {"form": "category", "classes": ["a", "b", "c"]} for name in KEPT}
    source = {"kind": "manifest", "root": "old", "labels": labels}
    kept = tuning(tmp_path, "test_resnet", TREE, 1)
    tree = YAML(typ="safe").load(EXTENSION)
    tree["data"]["root"] = str(tmp_path)
    tree["backbone"] = {"name": "test_resnet"}
    tree["extends"] = {
        **kept.config.model_dump(mode="json"),
        "labels": labels,
        "images": [{"tasks": KEPT, "data": {"root": str(folder), "sources": [source]}}],
    }
    tree["search"]["space"] = "branch"
    validation = KeptValidation(build_registry().resolve(load_run(tree)), kept.tasks)
    with pytest.raises(ConfigError) as raised:
        validation.open(cut_of("test_resnet"))
    assert raised.value.where == "extends.images.0.data"
    assert f"{folder / 'old'} does not exist" in raised.value.what
    assert "`run.yaml`" in str(raised.value.next_step)


def test_trained_trial_over_a_limit_is_infeasible_and_counts() -> None:
    candidate = Candidate(SharingPlan.hard(KEPT, 3))
    record = TrialRecord(3, "complete", None, candidate, 1, 1, results={})
    text = "scene drops 2.3 %, limit 1 %"
    assert (with_limits(record, text).state, with_limits(record, text).over_limits) == (
        "infeasible",
        text,
    )
    baseline = with_limits(replace(record, baseline="hard", note="a note"), text)
    assert (baseline.state, baseline.note) == ("complete", f"a note; over the limits: {text}")
    assert with_limits(replace(record, repeats=1), text).over_limits == ""


@pytest.mark.slow
def test_extension_with_unfreeze_limits_the_drop(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    (tmp_path / "new.yaml").write_text(EXTENSION)
    used, new = tmp_path / "used", tmp_path / "new"
    cpu = ("--device", "cpu")
    result = call("search", tmp_path / "run.yaml", "--out", used, *cpu)
    assert result.returncode == 0, result.stderr
    arguments = ("extend", used, tmp_path / "new.yaml", "--trial", "1", "--out", new, *cpu)
    result = call(*arguments, "--unfreeze", "9")
    assert "the network in use has" in result.stderr
    result = call(*arguments, "--max-drop", "2")
    assert "a drop is limited only if units are tuned" in " ".join(result.stderr.split())
    result = call(*arguments, "--unfreeze", "2", "--max-drop", "0.5", "--trials", "3")
    assert result.returncode == 0, result.stderr
    result = call("search", new / "run.yaml", "--out", new, "--trials", "4", *cpu)
    assert result.returncode == 0, result.stderr
    records = records_of(new)
    assert len(records) == 4
    drops = {record.number: dict(record.kept.drops) for record in records if record.kept}
    assert drops[0] == {}
    assert set(drops[1]) == {"scene", "shapes"}
    for record in records:
        is_over = any(drop > 0.5 for drop in drops[record.number].values())
        assert bool(record.over_limits) is is_over
        state = "infeasible" if is_over and record.baseline is None else "complete"
        assert record.state == state
    assert any(record.over_limits for record in records)
    table = " ".join(call("leaderboard", new).stdout.split())
    assert "limit 0.5 %" in table
