"""Sharing plans that are not trees: tasks share again after a split, or skip units."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_model, save_model

from mtlsearch.errors import PlanError
from mtlsearch.models import head_cost
from mtlsearch.plan import SharingPlan, plan_cost
from tests.models.families import cut, images
from tests.models.heads import (
    TASKS,
    any_plans,
    check_gradient_sum,
    check_gradients_by_group,
    disturb,
    head,
    levels_of,
    network,
    reference,
    rejoining,
    same,
    scores,
)

BACKBONES = ("test_resnet", "test_vit")
FAMILIES = (*BACKBONES, "test_convnext", "test_efficientnet")
BATCH_NORM = ("test_resnet", "test_efficientnet")
backbones = st.sampled_from(BACKBONES)


@settings(max_examples=10, deadline=None)
@given(name=st.sampled_from(FAMILIES), data=st.data())
def test_features_equal_single_task_model(name, data):
    backbone = cut(name, "block" if name == "test_convnext" else "stage")
    built = network(backbone, data.draw(any_plans(backbone)), vary=True)
    with torch.no_grad():
        features = built.features(images())
        for task in TASKS:
            expected = levels_of(reference(built, backbone, task), backbone, images())
            assert all(map(torch.equal, features[task], expected))
    assert built.backbones.is_cache_empty


@settings(max_examples=6, deadline=None)
@given(name=backbones, data=st.data())
def test_cost_equals_plan_cost(name, data):
    backbone = cut(name)
    plan = data.draw(any_plans(backbone))
    cost = head_cost(head(backbone, 0), backbone.features)
    built = network(backbone, plan)
    assert built.cost == plan_cost(plan, backbone.units, [cost] * 3)


@settings(max_examples=6, deadline=None)
@given(name=backbones, data=st.data())
def test_unit_gets_gradients_from_its_group_only(name, data):
    backbone = cut(name)
    plan = data.draw(any_plans(backbone))
    check_gradients_by_group(network(backbone, plan, vary=True))


@settings(max_examples=4, deadline=None)
@given(name=backbones, data=st.data())
def test_gradients_of_several_runs_add_up(name, data):
    backbone = cut(name)
    built = network(backbone, data.draw(any_plans(backbone)), vary=True)
    check_gradient_sum(built)


@settings(max_examples=4, deadline=None)
@given(name=backbones, data=st.data())
def test_parameters_are_shared_plus_private(name, data):
    backbone = cut(name)
    built = network(backbone, data.draw(any_plans(backbone)))
    shared = [id(parameter) for parameter in built.shared_parameters()]
    private = [id(p) for task in TASKS for p in built.private_parameters(task)]
    assert sorted(shared + private) == sorted(id(p) for p in built.parameters())
    twin = network(backbone, built.plan, vary=True)
    twin.load_state_dict(built.state_dict())
    assert all(map(torch.equal, twin.parameters(), built.parameters()))


def statistics(model):
    return {key: value.clone() for key, value in model.named_buffers() if "running" in key}


def changed_statistics(model, before):
    after = statistics(model)
    return {key for key, value in after.items() if not torch.equal(value, before[key])}


@pytest.mark.parametrize("name", BATCH_NORM)
def test_statistics_by_path_equal_single_task_model(name):
    """A task is evaluated with the statistics that it was trained with."""
    backbone = cut(name)
    built = network(backbone, rejoining(backbone).with_statistics("path"), vary=True).train()
    alone = {task: reference(built, backbone, task) for task in TASKS}
    for seed in range(2):
        built(images(4, seed))
        for model in alone.values():
            levels_of(model, backbone, images(4, seed))
    for task in TASKS:
        by_path = statistics(built.backbones.task_model(task))
        expected = statistics(alone[task])
        assert by_path.keys() == expected.keys() != set()
        for key, value in by_path.items():
            torch.testing.assert_close(value, expected[key])
    built.eval()
    with torch.no_grad():
        features = built.features(images())
        for task in TASKS:
            expected = levels_of(alone[task].eval(), backbone, images())
            for level, expected_level in zip(features[task], expected, strict=True):
                torch.testing.assert_close(level, expected_level)


@pytest.mark.parametrize("name", BATCH_NORM)
def test_shared_statistics_update_once_per_run(name):
    backbone = cut(name)
    plan = rejoining(backbone)
    built = network(backbone, plan, vary=True).train()
    built(images())
    for unit, runs in enumerate(plan.runs):
        for group in plan.groups(unit):
            for module in built.unit_modules(unit, group).values():
                for key, value in module.named_buffers():
                    if key.endswith("num_batches_tracked"):
                        assert value == (runs if len(group) == 3 else 1)
    models = [built.backbones.task_model(task) for task in TASKS]
    assert all(statistics(models[0]).keys() == statistics(model).keys() for model in models)
    last = len(backbone.units) - 1
    assert len({id(next(iter(built.backbones.unit_modules(last, t).values()))) for t in TASKS}) == 1


def test_statistics_of_task_without_labels_keep_their_value():
    backbone = cut("test_resnet")
    built = network(backbone, rejoining(backbone).with_statistics("path")).train()
    before = {task: statistics(built.backbones.task_model(task)) for task in TASKS}
    built(images(), TASKS[1:])
    changed = {
        task: changed_statistics(built.backbones.task_model(task), before[task]) for task in TASKS
    }
    stem = {key for key in before[TASKS[0]] if key.startswith(("conv1", "bn1"))}
    assert changed[TASKS[0]] == stem
    assert changed[TASKS[1]] == changed[TASKS[2]] == set(before[TASKS[1]])


@pytest.mark.parametrize("statistics", ["shared", "path"])
def test_copies_and_files_keep_sharing(statistics, tmp_path):
    backbone = cut("test_resnet")
    plan = rejoining(backbone).with_skips({1: TASKS[1:2]}).with_statistics(statistics)
    built = network(backbone, plan, vary=True).train()
    built(images())  # makes the statistics of different paths differ
    expected = scores(built.eval(), images())
    save_model(built, str(tmp_path / "net.safetensors"))
    loaded = network(backbone, plan)
    load_model(loaded, str(tmp_path / "net.safetensors"))
    for twin in (loaded, copy.deepcopy(built), pickle.loads(pickle.dumps(built))):
        assert same(scores(twin, images()), expected)
        assert len(list(twin.parameters())) == len(list(built.parameters()))
        disturb(twin.parameters(), seed=5)
        assert not same(scores(twin, images()), expected)
    assert same(scores(built, images()), expected)


def test_statistics_by_path_do_not_change_cost():
    backbone = cut("test_resnet")
    plan = rejoining(backbone)
    by_path = network(backbone, plan.with_statistics("path"))
    assert by_path.plan != plan
    assert by_path.cost == network(backbone, plan).cost
    assert len(statistics(by_path)) > len(statistics(network(backbone, plan)))


def test_unit_skipped_by_all_tasks_has_no_copy():
    backbone = cut("test_vit")
    plan = SharingPlan.hard(TASKS, len(backbone.units)).with_skips({2: TASKS})
    built = network(backbone, plan)
    assert not any(".blocks.1." in f"{key}" for key, _ in built.named_parameters())
    assert built.cost.flops < network(backbone, SharingPlan.hard(TASKS, 7)).cost.flops
    disturb(built.parameters(), seed=3)
    assert len({float(output.sum()) for output in scores(built, images()).values()}) == 3


def test_skip_of_unit_that_changes_shape_is_rejected():
    backbone = cut("test_resnet")
    plan = SharingPlan.hard(TASKS, len(backbone.units)).with_skips({3: TASKS[:1]})
    with pytest.raises(PlanError, match=r"boxes cannot skip unit 3 \(layer3\)") as caught:
        network(backbone, plan)
    assert list(caught.value.allowed) == ["1 (layer1)"]
