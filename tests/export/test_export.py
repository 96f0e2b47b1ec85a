"""A bundle computes what the network computes, or is not written."""

from __future__ import annotations

import json
import random
import shutil
import stat

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_model
from torch import nn

from mtlsearch.bundle import CARD, GRAPH, MANIFEST, PROGRAM, WEIGHTS, read_image
from mtlsearch.errors import ExportError
from mtlsearch.export import TOLERANCE, export_bundle, load_program, open_bundle
from mtlsearch.export._program import ExportedNetwork
from tests.export import networks

QUICK = ["test_vit"]
SLOW = ["resnet10t", "mobilenetv3_small_050", "convnext_atto", "vit_tiny_patch16_224"]


def _expected(network, tasks, images):
    with torch.no_grad():
        found = ExportedNetwork(network, tasks)(images)
    return {name: value.numpy() for name, value in found.items()}


def _same(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert np.abs(found[name] - value).max() <= TOLERANCE * np.abs(value).max()


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_the_graph_computes_the_network_at_any_batch_size(exported, count):
    images = networks.images(count, seed=1)
    arrays = open_bundle(exported.path).run(images.numpy())
    found = {f"{task}.{name}": at for task, of in arrays.items() for name, at in of.items()}
    _same(found, _expected(exported.network, exported.tasks, images))


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_the_program_computes_the_network_at_any_batch_size(exported, count):
    images = networks.images(count, seed=2)
    with torch.no_grad():
        outputs = load_program(exported.path / PROGRAM).module()(images)
    found = {name: value.numpy() for name, value in outputs.items()}
    _same(found, _expected(exported.network, exported.tasks, images))


def test_the_weights_make_another_network_this_one(exported):
    other = networks.network("test_resnet", exported.tasks, seed=7)
    load_model(other, str(exported.path / WEIGHTS))
    images = networks.images(2)
    _same(
        _expected(other, exported.tasks, images),
        _expected(exported.network, exported.tasks, images),
    )


def test_a_picture_is_predicted_as_task_and_network_would(exported):
    chance = np.random.default_rng(0)
    image = Image.fromarray(chance.integers(0, 256, (50, 80, 3), np.uint8))
    bundle = open_bundle(exported.path)
    (found,) = bundle.predict([image])
    inputs = torch.from_numpy(bundle.manifest.preprocessing(image))[None]
    with torch.no_grad():
        outputs = exported.network(inputs)
    for name, task in exported.tasks.items():
        arrays = {key: value[0].numpy() for key, value in task.predict(outputs[name]).items()}
        wanted = task.decode(arrays, input_size=networks.SIZE, image_size=(50, 80))
        assert type(found[name]) is type(wanted)
    assert np.allclose(found["breed"].scores.sum(), 1)
    assert found["outline"].indices.shape == (50, 80)


def test_it_holds_what_it_says_and_nothing_else(exported):
    names = {path.name for path in exported.path.iterdir()}
    assert names == {CARD, GRAPH, MANIFEST, PROGRAM, WEIGHTS}
    assert [path.name for path in exported.path.parent.iterdir()] == ["bundle"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in exported.path.iterdir()}
    assert len(modes) == 1
    assert len(exported.steps) == 4


def test_the_manifest_tells_architecture_plan_tasks_and_differences(exported):
    about = json.loads((exported.path / MANIFEST).read_text())
    assert about["architecture"]["plan"]["rows"] == [list(r) for r in exported.network.plan.rows]
    assert len(about["architecture"]["units"]) == len(exported.network.units)
    assert about["tasks"]["boxes"]["classes"] == list(networks.CLASSES)
    assert about["metrics"] == {"breed": {"accuracy": 0.5, "f1": None}}
    assert about["check"]["batch_sizes"] == [1, 4]
    for gaps in about["check"]["differences"].values():
        assert set(gaps) == {"boxes.boxes", "boxes.scores", "breed.scores", "outline.scores"}
        assert max(gaps.values()) <= TOLERANCE
    distinct = {id(at): at.numel() for at in exported.network.parameters()}
    assert about["architecture"]["parameters"] == sum(distinct.values())


def test_the_card_works_as_it_stands(exported, tmp_path, monkeypatch, capsys):
    upright = Image.effect_noise((40, 30), 90).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to see it upright
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "photo.jpg", exif=exif, quality=100, subsampling=0)
    for name in (GRAPH, MANIFEST):
        (tmp_path / name).symlink_to(exported.path / name)
    code = (exported.path / CARD).read_text().split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, CARD, "exec"), names)
    assert "boxes.scores (1, " in capsys.readouterr().out
    bundle = open_bundle(exported.path)
    pixels = bundle.manifest.preprocessing(read_image(tmp_path / "photo.jpg"))
    expected = bundle.run(pixels[None])
    for task, tensors in expected.items():
        for name, value in tensors.items():
            np.testing.assert_allclose(names["outputs"][f"{task}.{name}"], value, atol=1e-5)


def test_the_network_stays_as_it_was(exported):
    assert exported.untouched


@pytest.mark.parametrize(
    "backbone", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_backbones_of_all_sorts_are_exported(backbone, tmp_path):
    tasks = networks.tasks()
    network = networks.network(backbone, tasks)
    out = export_bundle(network, tasks, tmp_path / "bundle", **networks.about(network))
    check = open_bundle(out).manifest.check
    assert max(max(gaps.values()) for gaps in check["differences"].values()) <= TOLERANCE


def test_a_plan_that_is_no_tree_is_exported_and_read_back(tmp_path):
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks, plan_of=networks.rejoining)
    out = export_bundle(network, tasks, tmp_path / "bundle", **networks.about(network))
    manifest = open_bundle(out).manifest
    assert manifest.plan == network.plan
    assert manifest.plan.has_skips
    assert manifest.plan.statistics == "path"
    assert manifest.units == network.units
    assert "breed+outline | boxes skips" in open_bundle(out).describe()
    differences = manifest.check["differences"].values()
    assert max(max(gaps.values()) for gaps in differences) <= TOLERANCE


class Moody(networks.Category):
    """Multiplies by a number that Python draws anew each time: a graph keeps the first."""

    kind = "moody"

    def predict(self, outputs):
        return {"scores": outputs["raw"].mean((2, 3)).softmax(1) * random.uniform(0.5, 1)}


class Infinite(networks.Category):
    kind = "infinite"

    def predict(self, outputs):
        return {"scores": outputs["raw"].mean((2, 3)) / 0}


class Traced(networks.Category):
    """Computes another thing once it is exported."""

    kind = "traced"

    def predict(self, outputs):
        scores = outputs["raw"].mean((2, 3)).softmax(1)
        return {"scores": scores * 1.001 if torch.compiler.is_exporting() else scores}


class Counting(networks.Category):
    """Takes a number out of a tensor, which no graph can."""

    kind = "counting"

    def predict(self, outputs):
        scores = outputs["raw"].mean((2, 3)).softmax(1)
        return {"scores": scores if scores.sum().item() > 0 else -scores}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Moody, f"{WEIGHTS} differs"),
        (Infinite, f"{WEIGHTS} differs"),
        (Traced, f"{GRAPH} differs.*breed.scores by 0.001"),
        (Counting, "cannot trace"),
    ],
)
def test_what_differs_is_not_written(task, reason, tmp_path):
    tasks = networks.tasks(breed=task("breed"))
    network = networks.network("test_resnet", tasks)
    with pytest.raises(ExportError, match=reason) as caught:
        export_bundle(network, tasks, tmp_path / "bundle", **networks.about(network))
    assert caught.value.next_step
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_bundle_before_it(exported, tmp_path):
    out = tmp_path / "bundle"
    shutil.copytree(exported.path, out)
    about = networks.about(exported.network)
    moody = networks.tasks(breed=Moody("breed"))
    with pytest.raises(ExportError):
        export_bundle(exported.network, moody, out, **about)
    assert open_bundle(out).manifest == open_bundle(exported.path).manifest
    export_bundle(exported.network, exported.tasks, out, **about | {"extra": {"again": True}})
    assert open_bundle(out).manifest.extra == {"again": True}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_no_bundle_is_not_replaced(what, tmp_path):
    out = tmp_path / "mine"
    kept = out / "thesis.tex" if what == "folder" else out
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("years of work")
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    with pytest.raises(ExportError, match="no bundle"):
        export_bundle(network, tasks, out, **networks.about(network))
    assert kept.read_text() == "years of work"


@pytest.mark.parametrize("shape", [(3, 3, 64, 64), (4, 3, 32, 32), (4, 64, 64)])
def test_the_check_needs_images_as_the_network_takes_them(shape, tmp_path):
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    with pytest.raises(ExportError, match="prepared images"):
        export_bundle(
            network,
            tasks,
            tmp_path / "bundle",
            **networks.about(network) | {"images": torch.zeros(shape)},
        )


def test_wrong_weights_are_noticed(tmp_path, monkeypatch):
    """The check reads the file that was written, not the tensors it came from."""
    from mtlsearch.export import _weights

    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    monkeypatch.setattr(_weights, "save_model", _swap(_weights.save_model))
    with pytest.raises(ExportError, match=WEIGHTS):
        export_bundle(network, tasks, tmp_path / "bundle", **networks.about(network))


def _swap(save_model):
    def save_another(network: nn.Module, path: str) -> None:
        save_model(networks.network("test_resnet", networks.tasks(), seed=3), path)

    return save_another
