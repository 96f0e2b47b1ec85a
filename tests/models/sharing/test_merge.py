"""Merging single-task backbones: weights of a shared unit from those of its tasks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtlsearch.models import CutBackbone, merge_states
from mtlsearch.models.sharing import State
from mtlsearch.plan import SharingPlan, tree_plans
from tests.models.families import cut, images
from tests.models.heads import TASKS, any_plans, network

FACTORS = st.sampled_from([None, 0.3, 0.5, 0.7, 1.0])
FAMILIES = ("test_efficientnet", "test_vit", "mobilenetv3_small_050", "test_maxvit")


def state_of(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(4, 3, generator=generator),
        "running_var": torch.rand(4, generator=generator),
        "num_batches_tracked": torch.tensor(seed),
    }


def trained_states(backbone: CutBackbone) -> dict[str, State]:
    """Return states of one task model per task, as if each had been trained."""
    states: dict[str, State] = {}
    for seed, task in enumerate(TASKS):
        generator = torch.Generator().manual_seed(seed)
        states[task] = {
            name: value + 0.1 * torch.rand(value.shape, generator=generator)
            if value.is_floating_point()
            else value + seed
            for name, value in backbone.template.state_dict().items()
        }
    return states


def is_equal(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


@given(st.integers(0, 50), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_merging_a_network_with_itself_gives_it_back(seed: int, count: int) -> None:
    trained = state_of(seed)
    same = {f"task{index}": trained for index in range(count)}
    assert is_equal(merge_states(state_of(99), same), trained)


@given(FACTORS)
@settings(deadline=None)
def test_single_task_keeps_its_tensors_bit_for_bit(factor: float | None) -> None:
    trained = state_of(1)
    assert is_equal(merge_states(state_of(0), {"a": trained}, factor), trained)


@given(st.permutations(TASKS), FACTORS)
@settings(deadline=None)
def test_order_of_tasks_has_no_effect(order: list[str], factor: float | None) -> None:
    seeds = {"boxes": 1, "breed": 2, "outline": 3}
    merged = [
        merge_states(state_of(0), {task: state_of(seeds[task]) for task in tasks}, factor)
        for tasks in (TASKS, order)
    ]
    assert is_equal(*merged)


def test_factor_of_one_over_group_size_is_the_mean() -> None:
    trained = {task: state_of(seed) for seed, task in enumerate(TASKS, 1)}
    mean = torch.stack([state["weight"] for state in trained.values()]).mean(0)
    for factor in (None, 1 / 3):
        merged = merge_states(state_of(0), trained, factor)
        torch.testing.assert_close(merged["weight"], mean)


@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_factor_scales_the_sum_of_changes(factor: float) -> None:
    initial, first, second = state_of(0), state_of(1), state_of(2)
    merged = merge_states(initial, {"a": first, "b": second}, factor, averaged=["running_var"])
    change = first["weight"] - initial["weight"] + second["weight"] - initial["weight"]
    torch.testing.assert_close(merged["weight"], initial["weight"] + factor * change)
    mean = (first["running_var"] + second["running_var"]) / 2
    torch.testing.assert_close(merged["running_var"], mean)
    assert merged["num_batches_tracked"] == 1


def test_merging_changes_no_argument() -> None:
    initial, trained = state_of(0), {"a": state_of(1), "b": state_of(2)}
    merge_states(initial, trained, 0.7)
    assert is_equal(initial, state_of(0))
    assert all(is_equal(trained[task], state_of(seed)) for seed, task in enumerate("ab", 1))


@pytest.mark.parametrize("name", FAMILIES)
def test_merged_units_depend_on_their_group_only(name: str) -> None:
    backbone = cut(name)
    trained = trained_states(backbone)
    initial = backbone.template.state_dict()
    plan = SharingPlan.from_splits(TASKS, [1, len(backbone.units) - 1], len(backbone.units))
    for task in TASKS:
        merged = backbone.merge(trained, plan.path_of(task), 0.5)
        assert merged.keys() == initial.keys()
        for unit, group in enumerate(plan.path_of(task)):
            for parameter in backbone.unit_modules[unit].parameters:
                expected = merge_states(
                    {parameter: initial[parameter]},
                    {member: {parameter: trained[member][parameter]} for member in group},
                    0.5,
                )
                assert torch.equal(merged[parameter], expected[parameter])


@pytest.mark.parametrize("name", FAMILIES)
def test_independent_path_keeps_the_task_model(name: str) -> None:
    backbone = cut(name)
    trained = trained_states(backbone)
    unshared = SharingPlan.independent(TASKS, len(backbone.units))
    for task in TASKS:
        merged = backbone.merge(trained, unshared.path_of(task), 1.0)
        assert all(
            torch.equal(merged[parameter], trained[task][parameter])
            for unit in backbone.unit_modules
            for parameter in unit.parameters
        )


@given(any_plans(cut("test_efficientnet")))
@settings(max_examples=15, deadline=None)
def test_task_models_of_a_plan_load_their_paths(plan: SharingPlan) -> None:
    """Tasks that share a unit get equal weights in it, so that the last load changes nothing."""
    backbone = cut("test_efficientnet")
    trained = trained_states(backbone)
    shared = network(backbone, plan.with_statistics("shared"))
    states = {task: backbone.merge(trained, plan.path_of(task), 0.7) for task in TASKS}
    for task in TASKS:
        shared.backbones.task_model(task).load_state_dict(states[task])
    for task in TASKS:
        assert is_equal(shared.backbones.task_model(task).state_dict(), states[task])
    alone: dict[str, list[Tensor]] = {}
    for task in TASKS:
        skips = {unit: [task] for unit in range(len(plan.rows)) if not plan.path_of(task)[unit]}
        single = SharingPlan.hard([task], len(plan.rows)).with_skips(skips)
        built = network(backbone, single)
        built.backbones.task_model(task).load_state_dict(states[task])
        alone |= built.features(images())
    for task, levels in shared.features(images()).items():
        assert all(map(torch.equal, levels, alone[task]))


def test_path_of_names_the_group_at_every_unit() -> None:
    for plan in tree_plans(TASKS, units=3):
        for task in TASKS:
            path = plan.path_of(task)
            assert len(path) == 3
            assert all(path[unit] in plan.groups(unit) for unit in range(3))
            assert all(task in group for group in path)
    skipping = SharingPlan.hard(TASKS, units=2).with_skips({1: ["breed"]})
    assert skipping.path_of("breed") == (TASKS, ())
    assert skipping.path_of("boxes") == (TASKS, ("boxes", "outline"))
