"""What sharing must and must not change."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode

from mtlsearch.models import MultiTaskNetwork, count_flops, head_cost
from mtlsearch.plan import SharingPlan, plan_cost
from tests.models.families import EVERY, cut, images, whole
from tests.models.heads import (
    TASKS,
    Mean,
    disturb,
    gradients_add_up,
    head,
    middle,
    network,
    scores,
    tree_plans,
    units_learn_from_their_groups,
)

BACKBONES = ("test_resnet", "test_vit")
backbones = st.sampled_from(BACKBONES)


@pytest.mark.parametrize("name", EVERY)
def test_independent_networks_are_the_single_task_networks(name):
    backbone = cut(name)
    units = len(backbone.units)
    together = network(backbone, SharingPlan.independent(TASKS, units))
    outputs = scores(together, images())
    for seed, task in enumerate(TASKS):
        single = MultiTaskNetwork(
            backbone, SharingPlan.independent([task], units), {task: head(backbone, seed)}
        ).eval()
        assert torch.equal(outputs[task], scores(single, images())[task])


@pytest.mark.parametrize("name", EVERY)
def test_fully_shared_features_are_the_uncut_models(name):
    backbone = cut(name)
    shared = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)))
    with torch.no_grad():
        expected = whole(backbone).forward_intermediates(
            images(), indices=list(backbone.out_indices), norm=False, intermediates_only=True
        )
        found = shared.features(images())
    for levels in found.values():
        assert all(torch.equal(one, other) for one, other in zip(levels, expected, strict=True))


@pytest.mark.parametrize("granularity", ["stage", "block"])
@pytest.mark.parametrize("name", EVERY)
def test_a_task_gives_the_same_alone_as_with_the_others(name, granularity):
    backbone = cut(name, granularity)
    built = network(backbone, middle(backbone), vary=True)
    together = scores(built, images())
    with torch.no_grad():
        for task in TASKS:
            alone = built(images(), [task])
            assert list(alone) == [task]
            assert torch.equal(alone[task]["scores"], together[task])


@pytest.mark.parametrize("granularity", ["stage", "block"])
@pytest.mark.parametrize("name", EVERY)
def test_the_network_costs_what_the_plan_says(name, granularity):
    backbone = cut(name, granularity)
    each = head_cost(lambda: Mean(backbone.features), backbone.features)
    built = network(backbone, middle(backbone))
    cost = built.cost
    assert cost == plan_cost(built.plan, backbone.units, [each] * 3)
    assert cost.parameters == sum(p.numel() for p in built.parameters())


class LayerRuns(TorchFunctionMode):
    """Counts how often convolutions and linear layers are really computed."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += func in (torch.conv2d, nn.functional.conv2d, nn.functional.linear)
        return func(*args, **(kwargs or {}))


def layer_runs(run, *inputs):
    with torch.no_grad(), LayerRuns() as runs:
        run(*inputs)
    return runs.count


@pytest.mark.parametrize("name", EVERY)
def test_a_shared_prefix_runs_once(name):
    backbone = cut(name)
    units = len(backbone.units)
    single = network(backbone, SharingPlan.hard(["a"], units))
    shared = network(backbone, SharingPlan.hard(TASKS, units))
    apart = network(backbone, SharingPlan.independent(TASKS, units))
    once = layer_runs(single.features, images(1))
    assert once > 0
    assert layer_runs(shared.features, images(1)) == once
    assert layer_runs(apart.features, images(1)) == 3 * once
    parted = network(backbone, middle(backbone))
    assert once < layer_runs(parted.features, images(1)) < 3 * once
    assert count_flops(parted, images(1)) == parted.cost.flops


@settings(max_examples=30, deadline=None)
@given(name=backbones, data=st.data())
def test_private_weights_of_one_task_concern_no_other(name, data):
    backbone = cut(name)
    plan = data.draw(tree_plans(len(backbone.units)))
    task = data.draw(st.sampled_from(TASKS))
    built = network(backbone, plan, vary=True)
    before = scores(built, images())
    disturb(built.private_parameters(task), seed=2)
    after = scores(built, images())
    for other in TASKS:
        assert torch.equal(before[other], after[other]) == (other != task)


@settings(max_examples=20, deadline=None)
@given(name=backbones, data=st.data())
def test_a_unit_learns_from_the_tasks_of_its_group_and_no_others(name, data):
    backbone = cut(name)
    plan = data.draw(tree_plans(len(backbone.units)))
    units_learn_from_their_groups(network(backbone, plan, vary=True))


@settings(max_examples=15, deadline=None)
@given(name=backbones, data=st.data())
def test_shared_gradients_are_the_sum_over_tasks(name, data):
    backbone = cut(name)
    plan = data.draw(tree_plans(len(backbone.units)))
    built = network(backbone, plan, vary=True)
    gradients_add_up(built)


@settings(max_examples=15, deadline=None)
@given(name=backbones, data=st.data())
def test_every_plan_costs_what_its_arithmetic_says(name, data):
    backbone = cut(name)
    plan = data.draw(tree_plans(len(backbone.units)))
    each = head_cost(head(backbone, 0), backbone.features)
    assert network(backbone, plan).cost == plan_cost(plan, backbone.units, [each] * 3)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_running_statistics_of_a_shared_unit_move_once_a_forward(name):
    backbone = cut(name)
    built = network(backbone, middle(backbone)).train()
    single = network(backbone, SharingPlan.independent(["a"], len(backbone.units))).train()
    built(images())
    single(images())
    expected = dict(single.backbones.task_model("a").named_buffers())
    seen = 0
    for task in TASKS:
        for key, value in built.backbones.task_model(task).named_buffers():
            torch.testing.assert_close(value, expected[key])
            seen += key.endswith("num_batches_tracked")
    assert seen


def test_tasks_that_go_one_way_all_along_are_run_once():
    """Whatever stands between units, such as a reshape of each level, is not done again."""
    backbone = cut("test_vit")
    units = len(backbone.units)
    found = network(backbone, SharingPlan.from_splits(TASKS, [units, 1], units)).features(images())
    first, second, other = (found[task] for task in TASKS)
    assert first is not second
    assert all(one is same for one, same in zip(first, second, strict=True))
    assert not any(one is apart for one, apart in zip(first, other, strict=True))
