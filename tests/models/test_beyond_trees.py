"""Plans in which tasks come together again or pass by units."""

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
    disturb,
    gradients_add_up,
    head,
    levels_of,
    network,
    reference,
    rejoining,
    same,
    scores,
    units_learn_from_their_groups,
)

BACKBONES = ("test_resnet", "test_vit")
FAMILIES = (*BACKBONES, "test_convnext", "test_efficientnet")
BATCH_NORM = ("test_resnet", "test_efficientnet")
backbones = st.sampled_from(BACKBONES)


@settings(max_examples=10, deadline=None)
@given(name=st.sampled_from(FAMILIES), data=st.data())
def test_every_task_has_the_features_of_a_model_of_its_own(name, data):
    backbone = cut(name, "block" if name == "test_convnext" else "stage")
    built = network(backbone, data.draw(any_plans(backbone)), vary=True)
    with torch.no_grad():
        found = built.features(images())
        for task in TASKS:
            expected = levels_of(reference(built, backbone, task), backbone, images())
            assert all(map(torch.equal, found[task], expected))
    assert built.backbones.remembers_nothing


@settings(max_examples=6, deadline=None)
@given(name=backbones, data=st.data())
def test_every_plan_costs_what_its_arithmetic_says(name, data):
    backbone = cut(name)
    plan = data.draw(any_plans(backbone))
    each = head_cost(head(backbone, 0), backbone.features)
    built = network(backbone, plan)
    assert built.cost == plan_cost(plan, backbone.units, [each] * 3)


@settings(max_examples=6, deadline=None)
@given(name=backbones, data=st.data())
def test_a_unit_learns_from_the_tasks_of_its_group_and_no_others(name, data):
    backbone = cut(name)
    plan = data.draw(any_plans(backbone))
    units_learn_from_their_groups(network(backbone, plan, vary=True))


@settings(max_examples=4, deadline=None)
@given(name=backbones, data=st.data())
def test_gradients_of_a_unit_that_runs_often_add_up(name, data):
    backbone = cut(name)
    built = network(backbone, data.draw(any_plans(backbone)), vary=True)
    gradients_add_up(built)


@settings(max_examples=4, deadline=None)
@given(name=backbones, data=st.data())
def test_the_parameters_of_a_plan_are_those_of_its_groups(name, data):
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


def moves(model, before):
    after = statistics(model)
    return {key for key, value in after.items() if not torch.equal(value, before[key])}


@pytest.mark.parametrize("name", BATCH_NORM)
def test_statistics_by_path_are_those_of_a_model_of_its_own(name):
    """What a task meets in evaluation is what it was trained with."""
    backbone = cut(name)
    built = network(backbone, rejoining(backbone).with_statistics("path"), vary=True).train()
    alone = {task: reference(built, backbone, task) for task in TASKS}
    for seed in range(2):
        built(images(4, seed))
        for model in alone.values():
            levels_of(model, backbone, images(4, seed))
    for task in TASKS:
        own = statistics(built.backbones.task_model(task))
        expected = statistics(alone[task])
        assert own.keys() == expected.keys() != set()
        for key, value in own.items():
            torch.testing.assert_close(value, expected[key])
    built.eval()
    with torch.no_grad():
        found = built.features(images())
        for task in TASKS:
            expected = levels_of(alone[task].eval(), backbone, images())
            for one, other in zip(found[task], expected, strict=True):
                torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", BATCH_NORM)
def test_shared_statistics_move_once_for_every_path(name):
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
    last = [built.backbones.task_model(task) for task in TASKS]
    assert all(statistics(last[0]).keys() == statistics(each).keys() for each in last)
    ends = len(backbone.units) - 1
    assert len({id(next(iter(built.backbones.unit_modules(ends, t).values()))) for t in TASKS}) == 1


def test_a_task_without_labels_moves_no_statistics_of_its_own_path():
    backbone = cut("test_resnet")
    built = network(backbone, rejoining(backbone).with_statistics("path")).train()
    before = {task: statistics(built.backbones.task_model(task)) for task in TASKS}
    built(images(), TASKS[1:])
    moved = {task: moves(built.backbones.task_model(task), before[task]) for task in TASKS}
    stem = {key for key in before[TASKS[0]] if key.startswith(("conv1", "bn1"))}
    assert moved[TASKS[0]] == stem
    assert moved[TASKS[1]] == moved[TASKS[2]] == set(before[TASKS[1]])


@pytest.mark.parametrize("statistics", ["shared", "path"])
def test_copies_and_files_stay_tied(statistics, tmp_path):
    backbone = cut("test_resnet")
    plan = rejoining(backbone).with_skips({1: TASKS[1:2]}).with_statistics(statistics)
    built = network(backbone, plan, vary=True).train()
    built(images())  # statistics of different paths differ from here on
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


def test_keeping_statistics_apart_costs_neither_weights_nor_work():
    backbone = cut("test_resnet")
    plan = rejoining(backbone)
    apart = network(backbone, plan.with_statistics("path"))
    assert apart.plan != plan
    assert apart.cost == network(backbone, plan).cost
    assert len(statistics(apart)) > len(statistics(network(backbone, plan)))


def test_a_unit_nobody_wants_is_not_there():
    backbone = cut("test_vit")
    plan = SharingPlan.hard(TASKS, len(backbone.units)).with_skips({2: TASKS})
    built = network(backbone, plan)
    assert not any(".blocks.1." in f"{key}" for key, _ in built.named_parameters())
    assert built.cost.flops < network(backbone, SharingPlan.hard(TASKS, 7)).cost.flops
    disturb(built.parameters(), seed=3)
    assert len({float(each.sum()) for each in scores(built, images()).values()}) == 3


def test_a_unit_that_changes_shapes_cannot_be_passed_by():
    backbone = cut("test_resnet")
    plan = SharingPlan.hard(TASKS, len(backbone.units)).with_skips({3: TASKS[:1]})
    with pytest.raises(PlanError, match=r"boxes cannot pass by unit 3 \(layer3\)") as caught:
        network(backbone, plan)
    assert list(caught.value.allowed) == ["1 (layer1)"]
