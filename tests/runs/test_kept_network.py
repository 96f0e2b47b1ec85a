"""The tasks of a network in use keep their outputs bit for bit, whatever is trained beside them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
import torch
from mtlsearch_plugins.classification import Classification
from mtlsearch_search_spaces.branch import BranchSpace
from torch import nn

from mtlsearch.config import ExtendsConfig
from mtlsearch.errors import RunError, TrainingError
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan, extend_heads, extend_independent
from mtlsearch.plugin import Candidate
from mtlsearch.runs import KeptNetwork
from mtlsearch.training import save_weights, seeded_heads

SIZE = (32, 32)
KEPT, NEW = ("scene", "shapes"), ("breed", "weather")
TREE = SharingPlan.from_groups([[KEPT], [KEPT], [["scene"], ["shapes"]]])
REJOINING = SharingPlan.from_groups([[["scene"], ["shapes"]], [KEPT], [KEPT]])
CASES = {
    "BatchNorm, tree": ("test_resnet", TREE),
    "BatchNorm, separate": ("test_resnet", SharingPlan.independent(KEPT, 3)),
    "BatchNorm, shares again": ("test_resnet", REJOINING),
    "BatchNorm, shares again, statistics by path": (
        "test_resnet",
        REJOINING.with_statistics("path"),
    ),
    "ViT, tree": ("test_vit", TREE),
    "ViT, shares again": ("test_vit", REJOINING),
}


def task_of(name: str) -> Classification:
    label = LabelSpec(Form.CATEGORY, ("a", "b", "c"))
    return Classification(name, Classification.Settings(), label)


def cut_of(name: str) -> CutBackbone:
    return cut_backbone(name, SIZE, granularity=3)


def randomize(network: nn.Module) -> None:
    """Change weights and running statistics, so that each copy differs from the template."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.mul_(1 + 0.2 * torch.rand(tensor.shape, generator=generator))
                tensor.add_(0.05 * torch.rand(tensor.shape, generator=generator))


def keep(folder: Path, cut: CutBackbone, plan: SharingPlan) -> KeptNetwork:
    tasks = {name: task_of(name) for name in plan.tasks}
    network = MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 0))
    randomize(network)
    weights = folder / "kept.safetensors"
    save_weights(network, weights)
    config = ExtendsConfig.model_validate(
        {
            "run": folder,
            "trial": 0,
            "weights": sha256(weights.read_bytes()).hexdigest(),
            "candidate": Candidate(plan).to_json(),
            "tasks": {name: {"kind": "classification"} for name in tasks},
            "labels": {},
        }
    )
    return KeptNetwork(config, Candidate(plan), tasks, weights)


def extended(kept: KeptNetwork, cut: CutBackbone, candidate: Candidate) -> MultiTaskNetwork:
    tasks = {name: task_of(name) for name in candidate.plan.tasks}
    network = MultiTaskNetwork(cut, candidate.plan, seeded_heads(tasks, cut.features, 0))
    kept.start(network, candidate, cut)
    return network


def candidates(kept: KeptNetwork, cut: CutBackbone) -> list[Candidate]:
    """Return both baselines and a part of the space, with two new tasks."""
    space = BranchSpace(BranchSpace.Settings())
    space.kept_plan = kept.plan
    every = list(space.candidates(cut.units, NEW))
    baselines = [Candidate(make(kept.plan, NEW)) for make in (extend_independent, extend_heads)]
    return [*baselines, *every[:: max(1, len(every) // 4)]]


def images(seed: int, count: int = 4) -> torch.Tensor:
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(seed))


def train(network: MultiTaskNetwork) -> None:
    """Train the new tasks with a high rate and weight decay."""
    parameters = [item for item in network.parameters() if item.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.5, momentum=0.9, weight_decay=0.1)
    network.train()
    for step in range(2):
        optimizer.zero_grad()
        outputs = network(images(step), NEW)
        sum(value.square().mean() for task in NEW for value in outputs[task].values()).backward()
        optimizer.step()
    network.eval()


@pytest.mark.parametrize(("name", "plan"), CASES.values(), ids=CASES)
def test_training_new_tasks_keeps_outputs_by_bit(
    name: str, plan: SharingPlan, tmp_path: Path
) -> None:
    cut = cut_of(name)
    kept = keep(tmp_path, cut, plan)
    for candidate in candidates(kept, cut):
        network = extended(kept, cut, candidate)
        before = {key: value.clone() for key, value in network.state_dict().items()}
        train(network)
        kept.check_unchanged(network, images(7), cut)
        state = network.state_dict()
        heads = [key for key in state if key.startswith(("heads.breed", "heads.weather"))]
        assert not any(torch.equal(state[key], before[key]) for key in heads), candidate


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_copies_start_from_the_path_they_leave(name: str, tmp_path: Path) -> None:
    cut = cut_of(name)
    kept = keep(tmp_path, cut, TREE)
    space = BranchSpace(BranchSpace.Settings())
    space.kept_plan = TREE
    used = kept.network(cut)
    for candidate in space.candidates(cut.units, NEW[:1]):
        network = extended(kept, cut, candidate).eval()
        with torch.no_grad():
            expected = used.features(images(3))
            actual = network.features(images(3))
        # A head alone has no origin: it follows the path with which it shares the last unit.
        last = [task for task in candidate.plan.path_of("breed")[-1] if task != "breed"]
        origin = (candidate.origins or {}).get("breed") or last[0]
        for level, same in zip(expected[origin], actual["breed"], strict=True):
            assert torch.equal(level, same), candidate


def test_independent_baseline_starts_from_the_backbone(tmp_path: Path) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    network = extended(kept, cut, Candidate(extend_independent(TREE, NEW)))
    state = network.backbones.task_model("breed").state_dict()
    for key, value in cut.template.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_changed_statistic_of_a_kept_task_is_refused(tmp_path: Path) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    network = extended(kept, cut, Candidate(extend_heads(TREE, NEW))).eval()
    kept.check_unchanged(network, images(0), cut)
    statistic = next(
        value
        for key, value in network.backbones.task_model("scene").named_buffers()
        if key.endswith("running_mean")
    )
    statistic.add_(1e-3)
    with pytest.raises(TrainingError, match="is not that of the network in use"):
        kept.check_unchanged(network, images(0), cut)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    cut = cut_of("test_resnet")
    kept = keep(tmp_path, cut, TREE)
    content = bytearray(kept.weights.read_bytes())
    content[-1] ^= 1
    kept.weights.write_bytes(content)
    with pytest.raises(RunError, match="not those with which the run started"):
        kept.network(cut)
