"""Tasks that need some images of a batch: outputs are the same, and no other image runs."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mtlsearch.models import MultiTaskNetwork
from mtlsearch.models.cutting import UnitModules
from mtlsearch.plan import SharingPlan
from tests.models.families import cut, each_family, granularities, images
from tests.models.heads import TASKS, any_plans, middle, network

BATCH = 4
BACKBONES = st.sampled_from(("test_resnet", "test_vit", "resnet10t"))
MASKS = {"boxes": (0, 1), "breed": (1, 3), "outline": (2,)}


@pytest.fixture(scope="module", autouse=True)
def returned_memory() -> Iterator[None]:
    """Return free memory to the system: glibc keeps gigabytes of networks in double precision."""
    yield
    gc.collect()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):  # musl has none
            libc.malloc_trim(0)


@st.composite
def masks(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    """Draw the images of each task; a task without an entry has all."""
    rows = st.sets(st.integers(0, BATCH - 1), min_size=1).map(lambda chosen: tuple(sorted(chosen)))
    drawn = {task: draw(st.none() | rows) for task in TASKS}
    return {task: chosen for task, chosen in drawn.items() if chosen is not None}


def gradients(built: MultiTaskNetwork, outputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    built.zero_grad()
    sum(value.square().sum() for value in outputs.values()).backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in built.named_parameters()
        if parameter.grad is not None
    }


def check_rows(built: MultiTaskNetwork, rows: dict[str, tuple[int, ...]]) -> None:
    """Compare outputs and gradients with those of a forward pass of all images."""
    built, batch = built.double(), images(BATCH).double()
    full = {
        task: outputs["scores"][list(rows.get(task, range(BATCH)))]
        for task, outputs in built(batch).items()
    }
    expected = gradients(built, full)
    built.train().eval()  # LeViT keeps tensors of an earlier graph until the mode changes
    partial = {task: outputs["scores"] for task, outputs in built(batch, rows=rows).items()}
    assert built.backbones.is_cache_empty
    torch.testing.assert_close(partial, full, rtol=1e-6, atol=1e-6)
    actual = gradients(built, partial)
    assert actual.keys() == expected.keys()
    for name, gradient in actual.items():
        scale = float(expected[name].abs().max())
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-6 * scale + 1e-9)


@settings(max_examples=25, deadline=None)
@given(name=BACKBONES, rows=masks(), data=st.data())
def test_outputs_and_gradients_equal_those_of_all_images(name, rows, data):
    built = network(cut(name), data.draw(any_plans(cut(name))), vary=True)
    check_rows(built, rows)


@each_family()
def test_every_family_runs_on_some_images(name):
    for granularity in granularities(name):
        backbone = cut(name, granularity)
        check_rows(network(backbone, middle(backbone), vary=True), MASKS)


@settings(max_examples=20, deadline=None)
@given(rows=masks(), data=st.data())
def test_unit_runs_once_on_the_images_of_its_tasks(rows, data):
    backbone = cut("test_resnet")
    built = network(backbone, data.draw(any_plans(backbone)))
    counts: Counter[int] = Counter()
    for unit, unit_modules in enumerate(backbone.unit_modules):
        tasks = [task for task in TASKS if task not in built.plan.skips(unit)]
        models = [built.backbones.task_model(task) for task in tasks]
        for module in {model.get_submodule(unit_modules.modules[0]) for model in models}:
            leaf = next(part for part in module.modules() if not list(part.children()))
            leaf.register_forward_hook(
                lambda _, inputs, output, unit=unit: counts.update({unit: len(output)})
            )
    built(images(BATCH), rows=rows)
    for unit, row in enumerate(built.plan.paths):
        images_by_run: dict[int, set[int]] = {}
        for task, run in zip(built.plan.tasks, row, strict=True):
            if task not in built.plan.skips(unit):
                images_by_run.setdefault(run, set()).update(rows.get(task, range(BATCH)))
        assert counts[unit] == sum(map(len, images_by_run.values()))


def test_images_are_not_selected_without_a_batch_dimension():
    """If images cannot be selected from the output of a unit, they are from feature levels."""
    backbone = cut("test_resnet")
    units = tuple(
        UnitModules(tuple(replace(call, batched=None) for call in unit.calls), unit.parameters)
        for unit in backbone.unit_modules
    )
    opaque = replace(backbone, unit_modules=units)
    pair = SharingPlan.from_groups([["boxes", "outline"], ["breed"]] for _ in backbone.units)
    built = network(opaque, pair, vary=True)
    check_rows(built, MASKS)
    counts: list[int] = []
    for task in ("boxes", "breed"):
        leaf = next(m for m in built.backbones.task_model(task).modules() if not list(m.children()))
        leaf.register_forward_hook(lambda _, inputs, output: counts.append(len(output)))
    built(images(BATCH).double(), rows=MASKS)
    assert counts == [3, 2]


@settings(max_examples=10, deadline=None)
@given(rows=masks())
def test_head_runs_on_the_images_of_its_task(rows):
    backbone = cut("test_resnet")
    built = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)))
    seen: dict[str, int] = {}
    for task in TASKS:
        built.head(task).register_forward_hook(
            lambda _, inputs, output, task=task: seen.update({task: len(inputs[0][0])})
        )
    built(images(BATCH), rows=rows)
    assert seen == {task: len(rows.get(task, range(BATCH))) for task in TASKS}


def test_rows_of_all_images_change_nothing():
    built = network(cut("test_resnet"), middle(cut("test_resnet")), vary=True).train()
    with torch.no_grad():
        expected = {task: value["scores"] for task, value in built(images(BATCH)).items()}
        every = dict.fromkeys(TASKS, tuple(range(BATCH)))
        actual = {task: value["scores"] for task, value in built(images(BATCH), rows=every).items()}
    assert all(torch.equal(actual[task], expected[task]) for task in TASKS)


def test_statistics_come_from_the_images_of_the_tasks():
    backbone = cut("test_resnet")
    plan = SharingPlan.independent(TASKS, len(backbone.units))
    some, alone = network(backbone, plan).train(), network(backbone, plan).train()
    with torch.no_grad():
        some(images(BATCH), ["breed"], {"breed": (1, 3)})
        alone(images(BATCH)[[1, 3]], ["breed"])
    actual, expected = some.state_dict(), alone.state_dict()
    assert all(torch.equal(actual[name], expected[name]) for name in actual)


@pytest.mark.parametrize("row", [0, BATCH - 1])
def test_single_image_trains_with_batch_norm(row):
    """The deepest maps have one pixel, for which BatchNorm needs two images."""
    backbone = cut("test_resnet")
    built = network(backbone, SharingPlan.independent(TASKS, len(backbone.units))).train()
    small = images(BATCH)[:, :, :32, :32]
    outputs = built(small, ["breed"], {"breed": (row,)})
    assert outputs["breed"]["scores"].shape == (1, 3)
    pair = small[:2] if row == 0 else small[2:]
    expected = built(pair, ["breed"])["breed"]["scores"][[0 if row == 0 else 1]]
    torch.testing.assert_close(outputs["breed"]["scores"], expected)


def test_single_image_runs_alone_without_batch_norm():
    backbone = cut("test_vit")
    built = network(backbone, SharingPlan.independent(TASKS, len(backbone.units))).train()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in built.modules())
    seen: list[int] = []
    built.head("breed").register_forward_hook(
        lambda _, inputs, output: seen.append(len(inputs[0][0]))
    )
    built(images(BATCH), ["breed"], {"breed": (2,)})
    assert seen == [1]


def test_memory_order_of_selected_images_is_kept():
    built = network(cut("test_resnet"), SharingPlan.hard(TASKS, len(cut("test_resnet").units)))
    batch = images(BATCH).contiguous(memory_format=torch.channels_last)
    orders: list[bool] = []
    first = next(m for m in built.backbones.modules() if isinstance(m, nn.Conv2d))
    first.register_forward_pre_hook(
        lambda _, inputs: orders.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    built(batch, rows=dict.fromkeys(TASKS, (0, 2)))
    assert orders == [True]
