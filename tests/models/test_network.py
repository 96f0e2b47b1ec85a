"""The network as a torch module."""

from __future__ import annotations

import copy
import pickle
import warnings

import pytest
import torch
from safetensors.torch import load_model, save_model
from torch import nn

from mtlsearch.errors import PlanError
from mtlsearch.models import MultiTaskNetwork, count_flops, head_cost, measure_latency
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


def test_an_exported_network_takes_any_batch_and_runs_the_prefix_once(built):
    program = export(built)
    for count in (1, 2, 5):
        found = {task: out["scores"] for task, out in program.module()(images(count)).items()}
        expected = scores(built, images(count))
        for task in TASKS:
            torch.testing.assert_close(found[task], expected[task])
    backbone = cut("test_resnet")
    units = len(backbone.units)
    single = convolutions(export(network(backbone, SharingPlan.hard(["a"], units))))
    shared = convolutions(export(network(backbone, SharingPlan.hard(TASKS, units))))
    assert shared == single + 2  # two more heads of one linear layer each


@pytest.mark.slow
def test_a_network_compiles_into_one_graph(built):
    compiled = torch.compile(built, fullgraph=True, backend="eager")
    for _ in range(2):
        assert same(scores(compiled, images()), scores(built, images()))


def test_a_deep_copy_is_tied_like_the_original_and_apart_from_it(built):
    twin = copy.deepcopy(built)
    before = scores(built, images())
    assert same(scores(twin, images()), before)
    assert count_flops(twin, images(1)) == built.cost.flops
    assert len(list(twin.parameters())) == len(list(built.parameters()))
    disturb(twin.parameters(), seed=5)
    assert same(scores(built, images()), before)
    assert not same(scores(twin, images()), before)


def test_a_network_in_another_precision_stays_tied(built):
    count = built.cost
    double = copy.deepcopy(built).double()
    assert double.cost == count
    assert len(list(double.parameters())) == len(list(built.parameters()))
    assert all(parameter.dtype == torch.float64 for parameter in double.parameters())


def test_a_pickled_network_comes_back(built):
    twin = pickle.loads(pickle.dumps(built))
    assert same(scores(twin, images()), scores(built, images()))
    assert twin.cost == built.cost


def test_the_state_dict_goes_round(built):
    backbone = _backbone(built)
    other = network(backbone, built.plan)
    assert not same(scores(other, images()), scores(built, images()))
    other.load_state_dict(built.state_dict())
    assert same(scores(other, images()), scores(built, images()))


def test_safetensors_keep_shared_weights_once(built, tmp_path):
    backbone = _backbone(built)
    save_model(built, str(tmp_path / "net.safetensors"))
    other = network(backbone, built.plan)
    load_model(other, str(tmp_path / "net.safetensors"))
    assert same(scores(other, images()), scores(built, images()))
    stored = (tmp_path / "net.safetensors").stat().st_size
    assert stored < 4 * built.cost.parameters + 300_000


def _backbone(built):
    return next(each for each in map(cut, BACKBONES) if each.units == built.units)


def test_a_state_dict_with_every_name_loads_as_well(built):
    own = built.state_dict()
    full = {
        **{key: value.clone() for key, value in built.named_parameters(remove_duplicate=False)},
        **{key: value.clone() for key, value in built.named_buffers(remove_duplicate=False)},
    }
    full = {key: value for key, value in full.items() if key not in _passing(built)}
    assert own.keys() < full.keys()
    built.load_state_dict(full)


def _passing(module):
    """Names of buffers that no state dict holds."""
    return {
        f"{path}.{name}"
        for path, each in module.named_modules(remove_duplicate=False)
        for name in each._non_persistent_buffers_set
    }


def test_a_state_dict_lacking_weights_is_refused(built):
    state = built.state_dict()
    del state[next(iter(state))]
    with pytest.raises(RuntimeError, match="Missing key"):
        built.load_state_dict(state)


def test_state_dict_keys_are_timms_own_under_the_tasks():
    built = network(cut("test_resnet"), middle(cut("test_resnet")))
    keys = built.state_dict().keys()
    assert keys == {key for key, _ in (*built.named_parameters(), *built.named_buffers())}
    assert "backbones.boxes.layer1.0.conv1.weight" in keys
    assert "heads.outline.project.bias" in keys
    assert {key.split(".")[0] for key in keys} == {"backbones", "heads"}


def test_bfloat16_autocast_runs_and_learns(built):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = built(images())
    assert all(each["scores"].dtype == torch.bfloat16 for each in outputs.values())
    sum(each["scores"].float().sum() for each in outputs.values()).backward()
    assert all(parameter.grad is not None for parameter in built.parameters())


def test_an_exception_leaves_nothing_behind():
    backbone = cut("test_resnet")
    built = network(backbone, middle(backbone), vary=True)
    before = scores(built, images())
    broken = built.backbones.task_model(TASKS[1]).get_submodule("layer4.0.conv1")
    handle = broken.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        built(images())
    handle.remove()
    assert built.backbones.remembers_nothing
    assert not same(scores(built, images(seed=3)), before)
    assert same(scores(built, images()), before)


def test_a_forward_leaves_nothing_behind(built):
    built(images())
    assert built.backbones.remembers_nothing


def test_tasks_run_in_the_order_asked_and_only_those(built):
    with torch.no_grad():
        outputs = built(images(), ["outline", "boxes"])
    assert list(outputs) == ["outline", "boxes"]
    flops = count_flops(lambda x: built(x, ["outline"]), images(1))
    assert flops < count_flops(built, images(1))


def test_private_and_shared_parameters_are_all_there_are(built):
    shared = {id(parameter) for parameter in built.shared_parameters()}
    private = [{id(p) for p in built.private_parameters(task)} for task in TASKS]
    everything = {id(parameter) for parameter in built.parameters()}
    assert shared.union(*private) == everything
    assert len(shared) + sum(map(len, private)) == len(everything)


def test_units_hand_out_their_own_modules():
    backbone = cut("test_resnet")
    built = network(backbone, tree(backbone, 2, 3))
    first, second = built.plan.groups(3)[0], built.plan.groups(3)[1]
    one, other = built.unit_modules(3, first), built.unit_modules(3, second)
    assert set(one) == set(other) == {"layer3"}
    assert one["layer3"] is not other["layer3"]
    assert set(built.unit_parameters(3, first)) == {
        f"layer3.{key}" for key, _ in one["layer3"].named_parameters()
    }
    with pytest.raises(PlanError, match=r"is no group of unit 0"):
        built.unit_modules(0, ["boxes"])


@pytest.mark.parametrize(
    "tasks", [("type", "half"), ("a.b", "a_b"), ("heads", "_plan"), ("é", "1")]
)
def test_any_task_name_will_do(tasks):
    backbone = cut("test_resnet")
    built = network(backbone, tree(backbone, 3, tasks=tasks))
    assert set(scores(built, images())) == set(tasks)
    twin = network(backbone, tree(backbone, 3, tasks=tasks), vary=True)
    twin.load_state_dict(built.state_dict())
    assert same(scores(twin, images()), scores(built, images()))


def test_what_does_not_belong_together_is_refused():
    backbone = cut("test_resnet")
    heads = {task: head(backbone, 0) for task in TASKS}
    with pytest.raises(PlanError, match="the heads for"):
        MultiTaskNetwork(backbone, middle(backbone), {"boxes": heads["boxes"]})
    with pytest.raises(PlanError, match="units"):
        MultiTaskNetwork(backbone, SharingPlan.hard(TASKS, 3), heads)
    built = MultiTaskNetwork(backbone, middle(backbone), heads)
    with pytest.raises(PlanError, match="did you mean 'outline'"):
        built(images(), ["outlin"])


def test_one_step_of_training_moves_every_weight(built):
    built.train()
    before = {key: value.clone() for key, value in built.named_parameters()}
    optimizer = torch.optim.AdamW(built.parameters(), lr=1e-3)
    sum(each["scores"].square().mean() for each in built(images()).values()).backward()
    optimizer.step()
    assert all(not torch.equal(before[key], value) for key, value in built.named_parameters())


class LooksAtValues(nn.Module):
    """A head that the meta device cannot run."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5, 96))

    def forward(self, levels):
        scale = 1.0 + float(levels[-1].sum().item())
        return {"scores": levels[-1].mean((2, 3)) @ self.weight.T * scale}


def test_the_cost_of_a_head_is_measured_where_it_can_run():
    features = cut("test_resnet").features
    assert head_cost(LooksAtValues(), features) == Cost(5 * 96, 2 * 5 * 96)
    channels = sum(level.channels for level in features.levels)
    expected = Cost(3 * channels + 3, 2 * 3 * channels)
    state = torch.get_rng_state()
    assert head_cost(lambda: Mean(features), features) == expected
    assert torch.equal(state, torch.get_rng_state())


def test_latency_is_measured_and_the_mode_kept(built):
    built.train()
    milliseconds = measure_latency(built, SIZE, device=torch.device("cpu"), repeats=3, warmup=1)
    assert milliseconds > 0
    assert built.training


def test_no_warnings_are_raised_by_a_forward(built):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        built(images())
