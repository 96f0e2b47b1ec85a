"""Sharing changes costs, but not the features of any task."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode

from mtlsearch.models import MultiTaskNetwork, count_flops, head_cost
from mtlsearch.plan import SharingPlan, plan_cost
from tests.models.families import cut, each_family, granularities, images, whole
from tests.models.heads import (
    TASKS,
    Mean,
    check_gradient_sum,
    check_gradients_by_group,
    disturb,
    head,
    middle,
    network,
    scores,
    tree_plans,
)

BACKBONES = ("test_resnet", "test_vit")
backbones = st.sampled_from(BACKBONES)


@each_family()
def test_independent_plan_equals_single_task_networks(name):
    backbone = cut(name)
    units = len(backbone.units)
    outputs = scores(network(backbone, SharingPlan.independent(TASKS, units)), images())
    for seed, task in enumerate(TASKS):
        single = MultiTaskNetwork(
            backbone, SharingPlan.independent([task], units), {task: head(backbone, seed)}
        ).eval()
        assert torch.equal(outputs[task], scores(single, images())[task])


@each_family()
def test_hard_plan_features_equal_uncut_model(name):
    backbone = cut(name)
    shared = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)))
    with torch.no_grad():
        expected = whole(backbone).forward_intermediates(
            images(), indices=list(backbone.out_indices), norm=False, intermediates_only=True
        )
        features = shared.features(images())
    for levels in features.values():
        assert len(levels) == len(expected)
        assert all(map(torch.equal, levels, expected))


@each_family()
def test_task_alone_equals_task_with_others(name):
    for granularity in granularities(name):
        backbone = cut(name, granularity)
        built = network(backbone, middle(backbone), vary=True)
        together = scores(built, images())
        with torch.no_grad():
            for task in TASKS:
                alone = built(images(), [task])
                assert list(alone) == [task]
                assert torch.equal(alone[task]["scores"], together[task])


@pytest.mark.parametrize("granularity", ["stage", "block"])
@each_family()
def test_network_cost_equals_plan_cost(name, granularity):
    backbone = cut(name, granularity)
    mean_cost = head_cost(lambda: Mean(backbone.features), backbone.features)
    built = network(backbone, middle(backbone))
    cost = built.cost
    assert cost == plan_cost(built.plan, backbone.units, [mean_cost] * 3)
    assert cost.parameters == sum(p.numel() for p in built.parameters())


class LayerRuns(TorchFunctionMode):
    """Counts executions of convolutions and linear layers."""

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


@each_family()
def test_shared_prefix_runs_once(name):
    backbone = cut(name)
    units = len(backbone.units)
    single = network(backbone, SharingPlan.hard(["a"], units))
    shared = network(backbone, SharingPlan.hard(TASKS, units))
    independent = network(backbone, SharingPlan.independent(TASKS, units))
    once = layer_runs(single.features, images(1))
    assert once > 0
    assert layer_runs(shared.features, images(1)) == once
    assert layer_runs(independent.features, images(1)) == 3 * once
    split = network(backbone, middle(backbone))
    assert once < layer_runs(split.features, images(1)) < 3 * once
    assert count_flops(split, images(1)) == split.cost.flops


@settings(max_examples=30, deadline=None)
@given(name=backbones, data=st.data())
def test_private_weights_affect_only_their_task(name, data):
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
def test_unit_gets_gradients_from_its_group_only(name, data):
    backbone = cut(name)
    plan = data.draw(tree_plans(len(backbone.units)))
    check_gradients_by_group(network(backbone, plan, vary=True))


@settings(max_examples=15, deadline=None)
@given(name=backbones, data=st.data())
def test_shared_gradients_are_sum_over_tasks(name, data):
    backbone = cut(name)
    plan = data.draw(tree_plans(len(backbone.units)))
    built = network(backbone, plan, vary=True)
    check_gradient_sum(built)


@settings(max_examples=15, deadline=None)
@given(name=backbones, data=st.data())
def test_tree_cost_equals_plan_cost(name, data):
    backbone = cut(name)
    plan = data.draw(tree_plans(len(backbone.units)))
    cost = head_cost(head(backbone, 0), backbone.features)
    assert network(backbone, plan).cost == plan_cost(plan, backbone.units, [cost] * 3)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_running_statistics_update_once_per_forward(name):
    backbone = cut(name)
    built = network(backbone, middle(backbone)).train()
    single = network(backbone, SharingPlan.independent(["a"], len(backbone.units))).train()
    built(images())
    single(images())
    expected = dict(single.backbones.task_model("a").named_buffers())
    num_checked = 0
    for task in TASKS:
        for key, value in built.backbones.task_model(task).named_buffers():
            torch.testing.assert_close(value, expected[key])
            num_checked += key.endswith("num_batches_tracked")
    assert num_checked


def test_tasks_on_one_path_run_once():
    """Operations outside of units, such as a reshape of each level, run once as well."""
    backbone = cut("test_vit")
    units = len(backbone.units)
    plan = SharingPlan.from_splits(TASKS, [units, 1], units)
    features = network(backbone, plan).features(images())
    first, second, third = (features[task] for task in TASKS)
    assert first is not second
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert not any(a is b for a, b in zip(first, third, strict=True))
