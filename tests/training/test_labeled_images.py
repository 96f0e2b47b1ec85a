"""Training runs units and heads on the images that carry a label of theirs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Batch, Targets
from mtlsearch.training import Precision, evaluate
from mtlsearch.training._losses import partial_rows, run_labeled
from tests.training.fakes import CPU, config, run
from tests.training.images import TASKS, Images, build, tasks

CUT = cut_backbone("test_resnet", (32, 32))
INDEPENDENT = SharingPlan.independent(TASKS, len(CUT.units))
BOTH = {"a": "a", "b": "b"}


class WithoutUnlabeled(Images):
    """The same batches without the images that lack label ``b``."""

    def batch(self, indices: list[int]) -> Batch:
        whole = super().batch(indices)
        targets = whole.targets["b"]
        every = torch.arange(len(targets.rows))
        return Batch(whole.images[targets.rows], {"b": Targets(every, targets.values)})


def head_calls(network: MultiTaskNetwork) -> dict[str, list[int]]:
    """Record the number of images that each head gets."""
    calls: dict[str, list[int]] = {task: [] for task in network.tasks}
    for task in network.tasks:
        network.head(task).register_forward_hook(
            lambda _, inputs, output, task=task: calls[task].append(len(inputs[0][-1]))
        )
    return calls


@pytest.mark.parametrize("plan", [INDEPENDENT, SharingPlan.hard(TASKS, len(CUT.units))])
def test_head_gets_labeled_images_only(plan: SharingPlan) -> None:
    network = build(CUT, plan)
    calls = head_calls(network)
    run(network, tasks(*TASKS), Images(labeled={"b": range(9)}), config(epochs=1, batch_size=12))
    # Training and evaluation of 24 images each, of which 9 have label b.
    assert sum(calls["a"]) == 48
    assert sum(calls["b"]) == 18
    assert 0 not in calls["b"]


def test_independent_equals_single_task_training_on_its_images() -> None:
    settings_ = config(epochs=2, batch_size=24, clip_norm=None)
    labeled = {"b": range(9)}
    both = build(CUT, INDEPENDENT)
    run(both, tasks(*TASKS), Images(labels=TASKS, labeled=labeled), settings_)
    single = build(CUT, SharingPlan.independent(["b"], len(CUT.units)))
    run(single, tasks("b"), WithoutUnlabeled(labels=("b",), labeled=labeled), settings_)
    states = both.state_dict()
    for name, value in single.state_dict().items():
        assert torch.equal(states[name], value), name


def test_full_labels_take_the_path_without_selection() -> None:
    network = build(CUT, INDEPENDENT)
    batch = Images().batch(list(range(6)))
    assert partial_rows(network, TASKS, BOTH, batch) == {}
    num_arguments: list[int] = []
    network.register_forward_pre_hook(lambda _, inputs: num_arguments.append(len(inputs)))
    labeled = run_labeled(network, tasks(*TASKS), BOTH, batch, Precision())
    assert {name: item.count for name, item in labeled.items()} == {"a": 6, "b": 6}
    assert num_arguments == [2]


@settings(max_examples=15, deadline=None)
@given(carriers=st.sets(st.integers(0, 23), min_size=1), batch_size=st.integers(1, 24))
def test_evaluation_equals_that_of_all_images(carriers: set[int], batch_size: int) -> None:
    data = Images(labeled={"b": carriers})  # type: ignore[dict-item]
    network = build(CUT, SharingPlan.from_splits(TASKS, [2], len(CUT.units))).eval()
    values = evaluate(network, tasks(*TASKS), data.eval_batches("val", batch_size), BOTH, CPU)
    rows = sorted(carriers)
    batch = Images().batch(list(range(24)))
    with torch.inference_mode():
        scores = network(batch.images)["b"]["scores"][rows]
    expected = (scores.argmax(1) == batch.targets["b"].values[rows]).float().mean().item()
    assert values["b"]["accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("batch_size", [3, 4, 6])
def test_one_labeled_image_in_a_batch_trains(batch_size: int) -> None:
    """The deepest maps have one pixel, for which BatchNorm needs two images."""
    data = Images(labeled={"b": range(1)})
    network = build(CUT, INDEPENDENT)
    before = network.head("b").linear.weight.detach().clone()
    result = run(network, tasks(*TASKS), data, config(epochs=1, batch_size=batch_size))
    assert result.steps == 24 // batch_size
    assert not torch.equal(network.head("b").linear.weight, before)


def test_rows_stay_on_the_cpu() -> None:
    targets = Targets(torch.tensor([0, 2]), torch.tensor([1, 1])).to(torch.device("meta"))
    assert targets.rows.device.type == "cpu"
    assert isinstance(targets.values, torch.Tensor)
    assert targets.values.device.type == "meta"
