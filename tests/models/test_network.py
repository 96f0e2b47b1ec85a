"""The multi-task network as a PyTorch module: export, copies, files, training."""

from __future__ import annotations

import copy
import keyword
import pickle
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_model, save_model
from torch import nn

from mtlsearch.errors import PlanError
from mtlsearch.models import (
    MultiTaskNetwork,
    count_flops,
    head_cost,
    measure_latency,
    module_keys,
)
from mtlsearch.plan import Cost, SharingPlan
from tests.models.families import SIZE, cut, images
from tests.models.heads import TASKS, Mean, disturb, head, middle, network, same, scores, tree

BACKBONES = ("test_resnet", "test_vit", "mobilenetv3_small_050")


@pytest.fixture(params=BACKBONES)
def built(request):
    backbone = cut(request.param)
    return network(backbone, middle(backbone), vary=True)


def convolutions(program):
    kinds = (torch.ops.aten.conv2d.default, torch.ops.aten.linear.default)
    return sum(node.target in kinds for node in program.graph.nodes)


def export(net, count=2):
    batch = torch.export.Dim("batch", min=1, max=64)
    return torch.export.export(
        net, (images(count),), dynamic_shapes={"images": {0: batch}}, strict=False
    )


def test_exported_network_has_dynamic_batch_and_one_prefix(built):
    program = export(built)
    for count in (1, 2, 5):
        outputs = program.module()(images(count))
        expected = scores(built, images(count))
        for task in TASKS:
            torch.testing.assert_close(outputs[task]["scores"], expected[task])
    backbone = cut("test_resnet")
    units = len(backbone.units)
    single = convolutions(export(network(backbone, SharingPlan.hard(["a"], units))))
    shared = convolutions(export(network(backbone, SharingPlan.hard(TASKS, units))))
    assert shared == single + 2  # two more heads of one linear layer each


@pytest.mark.slow
def test_network_compiles_into_one_graph(built):
    compiled = torch.compile(built, fullgraph=True, backend="eager")
    for _ in range(2):
        assert same(scores(compiled, images()), scores(built, images()))


def test_deep_copy_keeps_sharing_and_is_independent(built):
    twin = copy.deepcopy(built)
    before = scores(built, images())
    assert same(scores(twin, images()), before)
    assert count_flops(twin, images(1)) == built.cost.flops
    assert len(list(twin.parameters())) == len(list(built.parameters()))
    disturb(twin.parameters(), seed=5)
    assert same(scores(built, images()), before)
    assert not same(scores(twin, images()), before)


def test_double_precision_keeps_sharing(built):
    cost = built.cost
    double = copy.deepcopy(built).double()
    assert double.cost == cost
    assert len(list(double.parameters())) == len(list(built.parameters()))
    assert all(parameter.dtype == torch.float64 for parameter in double.parameters())


def test_pickle_round_trip_keeps_outputs(built):
    twin = pickle.loads(pickle.dumps(built))
    assert same(scores(twin, images()), scores(built, images()))
    assert twin.cost == built.cost


def test_state_dict_round_trip_keeps_outputs(built):
    backbone = _backbone(built)
    other = network(backbone, built.plan)
    assert not same(scores(other, images()), scores(built, images()))
    other.load_state_dict(built.state_dict())
    assert same(scores(other, images()), scores(built, images()))


def test_safetensors_store_shared_weights_once(built, tmp_path):
    backbone = _backbone(built)
    save_model(built, str(tmp_path / "net.safetensors"))
    other = network(backbone, built.plan)
    load_model(other, str(tmp_path / "net.safetensors"))
    assert same(scores(other, images()), scores(built, images()))
    stored = (tmp_path / "net.safetensors").stat().st_size
    assert stored < 4 * built.cost.parameters + 300_000


def _backbone(built):
    return next(backbone for backbone in map(cut, BACKBONES) if backbone.units == built.units)


def test_state_dict_with_all_aliases_loads(built):
    deduplicated = built.state_dict()
    full = {
        **{key: value.clone() for key, value in built.named_parameters(remove_duplicate=False)},
        **{key: value.clone() for key, value in built.named_buffers(remove_duplicate=False)},
    }
    full = {key: value for key, value in full.items() if key not in _non_persistent(built)}
    assert deduplicated.keys() < full.keys()
    built.load_state_dict(full)


def _non_persistent(module):
    """Return the names of buffers that are not part of state dicts."""
    return {
        f"{path}.{name}"
        for path, submodule in module.named_modules(remove_duplicate=False)
        for name in submodule._non_persistent_buffers_set
    }


def test_state_dict_with_missing_weight_is_rejected(built):
    state = built.state_dict()
    del state[next(iter(state))]
    with pytest.raises(RuntimeError, match="Missing key"):
        built.load_state_dict(state)


def test_state_dict_keys_are_task_and_timms_key():
    built = network(cut("test_resnet"), middle(cut("test_resnet")))
    keys = built.state_dict().keys()
    assert keys == {key for key, _ in (*built.named_parameters(), *built.named_buffers())}
    assert "backbones.boxes.layer1.0.conv1.weight" in keys
    assert "heads.outline.project.bias" in keys
    assert {key.split(".")[0] for key in keys} == {"backbones", "heads"}


def test_bfloat16_autocast_gives_gradients(built):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = built(images())
    assert all(output["scores"].dtype == torch.bfloat16 for output in outputs.values())
    sum(output["scores"].float().sum() for output in outputs.values()).backward()
    assert all(parameter.grad is not None for parameter in built.parameters())


def test_forward_after_exception_has_empty_cache():
    backbone = cut("test_resnet")
    built = network(backbone, middle(backbone), vary=True)
    before = scores(built, images())
    broken = built.backbones.task_model(TASKS[1]).get_submodule("layer4.0.conv1")
    handle = broken.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        built(images())
    handle.remove()
    assert built.backbones.is_cache_empty
    assert not same(scores(built, images(seed=3)), before)
    assert same(scores(built, images()), before)


def test_forward_leaves_cache_empty(built):
    built(images())
    assert built.backbones.is_cache_empty


def test_forward_runs_requested_tasks_in_order(built):
    with torch.no_grad():
        outputs = built(images(), ["outline", "boxes"])
    assert list(outputs) == ["outline", "boxes"]
    flops = count_flops(lambda x: built(x, ["outline"]), images(1))
    assert flops < count_flops(built, images(1))


def test_shared_and_private_parameters_are_complete(built):
    shared = {id(parameter) for parameter in built.shared_parameters()}
    private = [{id(p) for p in built.private_parameters(task)} for task in TASKS]
    everything = {id(parameter) for parameter in built.parameters()}
    assert shared.union(*private) == everything
    assert len(shared) + sum(map(len, private)) == len(everything)


def test_unit_modules_of_two_groups_differ():
    backbone = cut("test_resnet")
    built = network(backbone, tree(backbone, 2, 3))
    first, second = built.plan.groups(3)[0], built.plan.groups(3)[1]
    modules, others = built.unit_modules(3, first), built.unit_modules(3, second)
    assert set(modules) == set(others) == {"layer3"}
    assert modules["layer3"] is not others["layer3"]
    assert set(built.unit_parameters(3, first)) == {
        f"layer3.{key}" for key, _ in modules["layer3"].named_parameters()
    }
    with pytest.raises(PlanError, match=r"unit 0 does not have the group boxes"):
        built.unit_modules(0, ["boxes"])


@pytest.mark.parametrize(
    "tasks",
    [
        ("type", "half"),
        ("a.b", "a_b"),
        ("heads", "_plan"),
        ("é", "1"),
        ("class", "class_"),
        ("None", "a b"),
        ("\ufb01", "fi"),  # one identifier in Python, which normalizes names
        ("a-b", "x'y"),
    ],
)
def test_task_names_are_unrestricted(tasks):
    backbone = cut("test_resnet")
    built = network(backbone, tree(backbone, 3, tasks=tasks))
    assert set(scores(built, images())) == set(tasks)
    twin = network(backbone, tree(backbone, 3, tasks=tasks), vary=True)
    twin.load_state_dict(built.state_dict())
    assert same(scores(twin, images()), scores(built, images()))


@given(st.lists(st.text(max_size=6) | st.sampled_from([*keyword.kwlist, *dir(nn.Module())])))
def test_module_keys_are_distinct_safe_identifiers(names):
    tasks = list(dict.fromkeys(names))
    keys = module_keys(tasks)
    assert list(keys) == tasks
    assert len(set(keys.values())) == len(tasks)
    for key in keys.values():
        assert key.isascii()
        assert key.isidentifier()
        assert not keyword.iskeyword(key)
        assert not hasattr(nn.ModuleDict(), key)


def test_mismatched_plan_heads_and_tasks_are_rejected():
    backbone = cut("test_resnet")
    heads = {task: head(backbone, 0) for task in TASKS}
    with pytest.raises(PlanError, match="got heads for boxes"):
        MultiTaskNetwork(backbone, middle(backbone), {"boxes": heads["boxes"]})
    with pytest.raises(PlanError, match="units"):
        MultiTaskNetwork(backbone, SharingPlan.hard(TASKS, 3), heads)
    built = MultiTaskNetwork(backbone, middle(backbone), heads)
    with pytest.raises(PlanError, match="did you mean 'outline'"):
        built(images(), ["outlin"])


def test_training_step_changes_every_parameter(built):
    built.train()
    before = {key: value.clone() for key, value in built.named_parameters()}
    optimizer = torch.optim.AdamW(built.parameters(), lr=1e-3)
    sum(output["scores"].square().mean() for output in built(images()).values()).backward()
    optimizer.step()
    assert all(not torch.equal(before[key], value) for key, value in built.named_parameters())


class ReadsValues(nn.Module):
    """Head that cannot run on the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5, 96))

    def forward(self, levels):
        scale = 1.0 + float(levels[-1].sum().item())
        return {"scores": levels[-1].mean((2, 3)) @ self.weight.T * scale}


def test_head_cost_falls_back_to_cpu():
    features = cut("test_resnet").features
    assert head_cost(ReadsValues(), features) == Cost(5 * 96, 2 * 5 * 96)
    channels = sum(level.channels for level in features.levels)
    expected = Cost(3 * channels + 3, 2 * 3 * channels)
    state = torch.get_rng_state()
    assert head_cost(lambda: Mean(features), features) == expected
    assert torch.equal(state, torch.get_rng_state())


def test_latency_is_positive_and_mode_is_restored(built):
    built.train()
    milliseconds = measure_latency(built, SIZE, device=torch.device("cpu"), repeats=3, warmup=1)
    assert milliseconds > 0
    assert built.training


def test_forward_raises_no_warnings(built):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        built(images())


class WithGrid(Mean):
    """Head with buffers that repeat their numbers."""

    def __init__(self, features):
        super().__init__(features)
        self.register_buffer("grid", torch.arange(3.0).expand(2, 3))
        self.register_buffer("same", self.grid, persistent=False)


def test_buffers_that_repeat_numbers_can_be_restored():
    backbone = cut("test_resnet")
    heads = {task: WithGrid(backbone.features) for task in TASKS}
    built = MultiTaskNetwork(backbone, middle(backbone), heads)
    state = {key: torch.ones_like(value) for key, value in built.state_dict().items()}
    built.load_state_dict(state)
    first = built.head(TASKS[0])
    assert first.grid is first.same
    assert torch.equal(first.grid, torch.ones(2, 3))
    assert not any(key.endswith("same") for key in state)
