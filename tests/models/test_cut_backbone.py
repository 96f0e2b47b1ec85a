"""Cut backbones of many families: units, features, weights and errors."""

from __future__ import annotations

import dataclasses
from urllib.error import URLError

import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

from mtlsearch.errors import BackboneError, PlanError, UnknownNameError
from mtlsearch.models import cut_backbone, list_backbones
from mtlsearch.plan import SharingPlan
from tests.models.families import SIZE, cut, each_family, images, whole

GRANULARITIES = ("stage", "block")


@pytest.mark.parametrize("granularity", GRANULARITIES)
@each_family()
def test_parameters_belong_to_exactly_one_unit(name, granularity):
    backbone = cut(name, granularity)
    assigned = [name for unit in backbone.unit_modules for name in unit.parameters]
    assert sorted(assigned) == sorted(key for key, _ in backbone.template.named_parameters())
    total = sum(parameter.numel() for parameter in backbone.template.parameters())
    assert sum(unit.parameters for unit in backbone.units) == total


@pytest.mark.parametrize("granularity", GRANULARITIES)
@each_family()
def test_units_are_in_depth_order_with_unique_names(name, granularity):
    units = cut(name, granularity).units
    assert len(units) >= 4
    assert [unit.index for unit in units] == list(range(len(units)))
    assert len({unit.name for unit in units}) == len(units)
    assert all(unit.flops > 0 and unit.channels > 0 and unit.stride > 0 for unit in units)


@each_family()
def test_blocks_are_at_least_as_many_as_stages(name):
    assert len(cut(name, "block").units) >= len(cut(name, "stage").units)


@each_family()
def test_features_equal_those_of_timms_model(name):
    backbone = cut(name)
    config = timm.get_pretrained_cfg(name)
    size = {"img_size": SIZE} if config.fixed_input_size else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untouched = timm.create_model(name, num_classes=0, **size).eval()
    out_indices = list(backbone.out_indices)
    with torch.no_grad():
        expected = untouched.forward_intermediates(
            images(), indices=out_indices, norm=False, intermediates_only=True
        )
        plan = SharingPlan.hard(["a"], len(backbone.units))
        levels = backbone.build_backbones(plan).eval()(images())["a"]
    for level, timms in zip(levels, expected, strict=True):
        torch.testing.assert_close(level, timms, rtol=0, atol=1e-5 * float(timms.abs().max()))


@each_family()
def test_levels_match_feature_spec(name):
    backbone = cut(name)
    with torch.no_grad():
        levels = whole(backbone).forward_intermediates(
            images(), indices=list(backbone.out_indices), norm=False, intermediates_only=True
        )
    spec = backbone.features
    assert spec.image_size == SIZE
    assert [level.shape[1] for level in levels] == [level.channels for level in spec.levels]
    assert tuple(tuple(level.shape[-2:]) for level in levels) == spec.sizes
    for (height, width), level in zip(spec.sizes, spec.levels, strict=True):
        assert abs(SIZE[0] / level.stride - height) <= 1
        assert abs(SIZE[1] / level.stride - width) <= 1


@each_family(small=False)
def test_template_has_no_unused_parameters(name):
    model = whole(cut(name)).train()
    levels = model.forward_intermediates(
        images(), indices=list(cut(name).out_indices), norm=False, intermediates_only=True
    )
    sum(level.square().mean() for level in levels).backward()
    assert [key for key, value in model.named_parameters() if value.grad is None] == []


def test_units_of_three_backbones():
    assert [unit.name for unit in cut("resnet10t").units][1:] == [f"layer{n}" for n in range(1, 5)]
    assert [unit.stride for unit in cut("resnet10t").units] == [4, 4, 8, 16, 32]
    assert len(cut("vit_tiny_patch16_224").units) == 13
    assert {level.stride for level in cut("vit_tiny_patch16_224").features.levels} == {16}
    assert len(cut("vit_tiny_patch16_224").features.levels) == 4


@pytest.mark.parametrize("count", [1, 2, 5, 12, 13])
def test_granularity_number_balances_flops(count):
    blocks = cut("mobilenetv3_small_050", "block").units
    units = cut("mobilenetv3_small_050", count).units
    assert len(units) == count
    assert sum(unit.parameters for unit in units) == sum(unit.parameters for unit in blocks)
    assert sum(unit.flops for unit in units) == sum(unit.flops for unit in blocks)
    mean = sum(unit.flops for unit in blocks) / count
    assert max(unit.flops for unit in units) <= mean + max(unit.flops for unit in blocks)


@pytest.mark.parametrize("count", [0, 14, -1])
def test_granularity_out_of_range_is_rejected(count):
    with pytest.raises(BackboneError, match=r"1 \.\. 13"):
        cut_backbone("mobilenetv3_small_050", SIZE, granularity=count)


def test_seed_determines_weights_but_not_global_state():
    before = torch.get_rng_state()
    first = cut_backbone("test_resnet", SIZE, seed=3).template.state_dict()
    assert torch.equal(before, torch.get_rng_state())
    again = cut_backbone("test_resnet", SIZE, seed=3).template.state_dict()
    other = cut_backbone("test_resnet", SIZE, seed=4).template.state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.0.weight"], other["conv1.0.weight"])


def test_name_unknown_gets_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean 'resnet18'"):
        cut_backbone("resnet_18", SIZE)


def test_image_size_unsupported_is_rejected():
    with pytest.raises(BackboneError, match=r"crossvit_9_240.*64x96"):
        cut_backbone("crossvit_9_240", SIZE)


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionError("no route to host"),
        LocalEntryNotFoundError("no route to host"),
        OfflineModeIsEnabled("no route to host"),
        URLError("no route to host"),
    ],
)
def test_pretrained_download_fails_with_next_step(monkeypatch, failure):
    def offline(*args, **kwargs):
        raise failure

    # The hub responds to the check, then the download fails.
    monkeypatch.setattr("mtlsearch.models.loading._create.check_hub", lambda name: None)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    with pytest.raises(BackboneError, match=r"weights of 'test_resnet'.*no route") as caught:
        cut_backbone("test_resnet", SIZE, pretrained=True)
    assert caught.value.where == "backbone.pretrained"
    assert "checkpoint_path" in caught.value.next_step
    assert "pretrained: false" in caught.value.next_step


def test_pretrained_offline_is_reported(monkeypatch, tmp_path):
    """The hub's client is in offline mode and no file was downloaded before."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BackboneError, match="cannot load the pretrained weights of 'test_resnet'"):
        cut_backbone("test_resnet", SIZE, pretrained=True)


def test_pretrained_without_weights_is_reported():
    with pytest.raises(BackboneError, match="No pretrained weights exist"):
        cut_backbone("mobilenetv2_035", SIZE, pretrained=True)


def test_name_accepts_weights_tag():
    assert cut_backbone("resnet10t.c3_in1k", SIZE).units == cut("resnet10t").units


def test_pixel_statistics_are_timms():
    assert cut("test_resnet").mean == tuple(timm.get_pretrained_cfg("test_resnet").mean)
    assert cut("test_resnet").std == tuple(timm.get_pretrained_cfg("test_resnet").std)


def test_list_backbones_accepts_pattern():
    assert "resnet18" in list_backbones()
    assert list_backbones("test_vit?") == ["test_vit2", "test_vit3", "test_vit4"]


def test_cut_backbone_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        cut("test_resnet").name = "other"


def test_build_with_wrong_number_of_units_is_rejected():
    backbone = cut("test_resnet")
    with pytest.raises(PlanError, match="for 4 units, the backbone has 5"):
        backbone.build_backbones(SharingPlan.hard(["a", "b"], 4))


@pytest.mark.parametrize("channels", [1, 4, 7])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_backbone_has_the_channels_of_the_images(name, channels):
    rgb, other = cut_backbone(name, SIZE), cut_backbone(name, SIZE, channels=channels)
    assert [unit.name for unit in other.units] == [unit.name for unit in rgb.units]
    assert other.features == rgb.features
    plan = SharingPlan.hard(["a", "b"], len(other.units))
    backbones = other.build_backbones(plan).eval()
    with torch.no_grad():
        levels = backbones(torch.rand(2, channels, *SIZE))["a"]
    assert [level.shape[1] for level in levels] == [level.channels for level in rgb.features.levels]
    assert (other.units[0].flops > rgb.units[0].flops) == (channels > 3)
