"""Weights from files: formats, conversion, mismatches and damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import adapt_input_conv

from mtlsearch.errors import BackboneError
from mtlsearch.models import cut_backbone
from tests.models.families import SIZE


def model(name="test_resnet", **arguments):
    with torch.random.fork_rng():
        torch.manual_seed(9)
        return timm.create_model(name, num_classes=7, **arguments)


@pytest.fixture
def state():
    return model().state_dict()


def loaded(path: Path, name="test_resnet", size=SIZE):
    return cut_backbone(name, size, checkpoint_path=path).template.state_dict()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_load_with_any_classifier(tmp_path, state, suffix):
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    weights = loaded(path)
    assert weights
    assert all(torch.equal(value, state[key]) for key, value in weights.items())


@pytest.mark.parametrize("wrapped", ["state_dict", "model"])
def test_training_checkpoint_is_unwrapped(tmp_path, state, wrapped):
    torch.save({wrapped: {f"module.{k}": v for k, v in state.items()}}, tmp_path / "last.pth")
    weights = loaded(tmp_path / "last.pth")
    assert all(torch.equal(value, state[key]) for key, value in weights.items())


def test_weights_that_features_do_not_use_are_optional(tmp_path):
    state = model("test_efficientnet").state_dict()
    slim = {k: v for k, v in state.items() if not k.startswith(("conv_head", "bn2", "classifier"))}
    save_file(slim, tmp_path / "slim.safetensors")
    assert loaded(tmp_path / "slim.safetensors", "test_efficientnet").keys() == slim.keys()


def test_position_embeddings_are_resized(tmp_path):
    state = model("test_vit", img_size=160).state_dict()
    save_file(state, tmp_path / "vit.safetensors")
    weights = loaded(tmp_path / "vit.safetensors", "test_vit")
    assert weights["pos_embed"].shape[1] == 4 * 6 + 1 != state["pos_embed"].shape[1]
    assert torch.equal(weights["blocks.0.attn.qkv.weight"], state["blocks.0.attn.qkv.weight"])


def test_missing_and_mismatching_weights_are_listed(tmp_path, state):
    del state["layer1.0.conv1.weight"]
    state["layer2.0.conv1.weight"] = torch.zeros(1, 2, 3, 3)
    save_file(state, tmp_path / "bad.safetensors")
    with pytest.raises(BackboneError) as caught:
        loaded(tmp_path / "bad.safetensors")
    assert "layer1.0.conv1.weight is missing" in str(caught.value)
    assert "layer2.0.conv1.weight is [1, 2, 3, 3]" in str(caught.value)
    assert "bad.safetensors" in str(caught.value)


def test_weights_of_another_family_are_rejected(tmp_path):
    save_file(model("test_vit").state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(BackboneError, match=r"(?s)other keys of the file: blocks.*and \d+ more"):
        loaded(tmp_path / "vit.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_renamed_weight_is_listed_under_both_names(tmp_path, state, suffix):
    state["layer1.0.my_conv.weight"] = state.pop("layer1.0.conv1.weight")
    path = tmp_path / f"renamed{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    with pytest.raises(BackboneError) as caught:
        loaded(path)
    assert "layer1.0.conv1.weight is missing" in str(caught.value)
    assert "layer1.0.my_conv.weight" in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_of_wrong_shape_are_listed_with_shapes(tmp_path, state, suffix):
    for name in ("layer2.0.bn1.running_mean", "layer3.0.conv2.weight"):
        state[name] = torch.cat([state[name], state[name]]).contiguous()
    path = tmp_path / f"wide{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    with pytest.raises(BackboneError) as caught:
        loaded(path)
    expected = model().state_dict()
    for name in ("layer2.0.bn1.running_mean", "layer3.0.conv2.weight"):
        want, have = list(expected[name].shape), list(state[name].shape)
        assert f"{name} is {have}, expected {want}" in str(caught.value)


def test_weights_in_half_precision_load_as_float32(tmp_path, state):
    halves = {
        key: value.half() if value.is_floating_point() else value for key, value in state.items()
    }
    save_file(halves, tmp_path / "half.safetensors")
    weights = loaded(tmp_path / "half.safetensors")
    assert {value.dtype for value in weights.values()} <= {torch.float32, torch.int64}
    for key, value in weights.items():
        torch.testing.assert_close(value, state[key], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_file_of_other_content_is_rejected(tmp_path, suffix):
    (tmp_path / f"junk{suffix}").write_bytes(b"not weights at all")
    with pytest.raises(BackboneError, match="cannot be read"):
        loaded(tmp_path / f"junk{suffix}")


def test_pickle_with_code_is_rejected(tmp_path):
    torch.save({"path": Path("x"), "weight": torch.zeros(1)}, tmp_path / "code.pth")
    with pytest.raises(BackboneError, match="more than tensors") as error:
        loaded(tmp_path / "code.pth")
    assert "weights_only" not in str(error.value)  # users cannot set it


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BackboneError, match=r"nowhere\.pth"):
        loaded(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("content", [[1, 2], 3, "text", None])
def test_file_without_dictionary_is_rejected(tmp_path, content):
    torch.save(content, tmp_path / "list.pth")
    with pytest.raises(BackboneError, match=r"list\.pth"):
        loaded(tmp_path / "list.pth")


def test_file_without_tensors_is_rejected(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    with pytest.raises(BackboneError, match="does not contain a state dict"):
        loaded(tmp_path / "epoch.pth")


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_first_convolution_is_adapted_as_timm_does(tmp_path, state, channels):
    save_file(state, tmp_path / "weights.safetensors")
    cut = cut_backbone(
        "test_resnet", SIZE, checkpoint_path=tmp_path / "weights.safetensors", channels=channels
    )
    first = "conv1.weight" if "conv1.weight" in state else "conv1.0.weight"
    expected = adapt_input_conv(channels, state[first])
    assert torch.equal(cut.template.state_dict()[first], expected)
    others = {key: value for key, value in cut.template.state_dict().items() if key != first}
    assert all(torch.equal(value, state[key]) for key, value in others.items())


def test_weights_with_expanded_tensors_load(tmp_path, state):
    name = next(key for key, value in state.items() if value.ndim == 1)
    state[name] = torch.full((1,), 0.25).expand_as(state[name])
    torch.save(state, tmp_path / "expanded.pth")
    weights = loaded(tmp_path / "expanded.pth")
    assert (weights[name] == 0.25).all()


def test_tensors_larger_than_their_file_are_rejected(tmp_path, state):
    state["huge"] = torch.zeros(1).expand(10**6, 10**6)
    torch.save(state, tmp_path / "huge.pth")
    with pytest.raises(BackboneError, match="'huge' repeats its numbers up to"):
        loaded(tmp_path / "huge.pth")
