"""A bundle computes the same as the network, or is not written."""

from __future__ import annotations

import json
import random
import shutil
import stat
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_model
from torch import nn

from mtlsearch.bundle import (
    CARD,
    GRAPH,
    MANIFEST,
    MODULES,
    PROGRAM,
    RUNNER,
    WEIGHTS,
    read_image,
)
from mtlsearch.errors import ExportError
from mtlsearch.export import TOLERANCE, export_bundle, open_bundle
from mtlsearch.models.programs import ExportedNetwork
from mtlsearch.plan import SharingPlan
from tests.export import networks

pytestmark = pytest.mark.xdist_group("exported")

QUICK = ["test_vit"]
SLOW = ["resnet10t", "mobilenetv3_small_050", "test_convnext"]


def _expected(network, tasks, images):
    with torch.no_grad():
        outputs = ExportedNetwork(network, tasks)(images)
    return {name: value.numpy() for name, value in outputs.items()}


def _assert_close(actual, expected):
    assert set(actual) == set(expected)
    for name, value in expected.items():
        assert np.abs(actual[name] - value).max() <= TOLERANCE * np.abs(value).max()


def test_any_name_of_a_task_can_be_exported(tmp_path):
    names = ["class", "None", "type", "keys", "a b", "a.b", "a-b", "1", "é", "\ufb01", "_plan"]
    tasks = {name: networks.Category(name) for name in names}
    network = networks.network("test_resnet", tasks, plan_of=SharingPlan.hard)
    arguments = {**networks.export_arguments(network), "metrics": {}}
    path = export_bundle(network, tasks, tmp_path / "bundle", **arguments)
    assert set(open_bundle(path).predict(Image.new("RGB", (9, 9)))) == set(names)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_graph_equals_network_at_any_batch_size(exported, count):
    images = networks.images(count, seed=1)
    arrays = open_bundle(exported.path).run(images.numpy())
    named = {
        f"{task}.{name}": array
        for task, tensors in arrays.items()
        for name, array in tensors.items()
    }
    _assert_close(named, _expected(exported.network, exported.tasks, images))


def test_program_contains_no_pickle(exported):
    with zipfile.ZipFile(exported.path / PROGRAM) as archive:
        contents = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    assert not any(b"data.pkl" in content for content in contents.values())
    assert not any(b'"use_pickle": true' in content for content in contents.values())
    assert not any(name.endswith((".pkl", ".py")) for name in contents)
    assert not any(content for name, content in contents.items() if "sample_inputs" in name)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_program_equals_network_at_any_batch_size(exported, count):
    images = networks.images(count, seed=2)
    with torch.no_grad():
        outputs = torch.export.load(exported.path / PROGRAM).module()(images)
    arrays = {name: value.numpy() for name, value in outputs.items()}
    _assert_close(arrays, _expected(exported.network, exported.tasks, images))


def test_weights_restore_the_network(exported):
    restored = networks.network("test_resnet", exported.tasks, seed=7)
    load_model(restored, str(exported.path / WEIGHTS))
    images = networks.images(2)
    _assert_close(
        _expected(restored, exported.tasks, images),
        _expected(exported.network, exported.tasks, images),
    )


def test_predict_equals_network_and_task_decode(exported):
    generator = np.random.default_rng(0)
    image = Image.fromarray(generator.integers(0, 256, (50, 80, 3), np.uint8))
    bundle = open_bundle(exported.path)
    (predictions,) = bundle.predict([image])
    inputs = torch.from_numpy(bundle.manifest.preprocessing(image))[None]
    with torch.no_grad():
        outputs = exported.network(inputs)
    for name, task in exported.tasks.items():
        arrays = {key: value[0].numpy() for key, value in task.predict(outputs[name]).items()}
        expected = task.decode(arrays, input_size=networks.SIZE, image_size=(50, 80))
        assert type(predictions[name]) is type(expected)
    assert np.allclose(predictions["breed"].scores.sum(), 1)
    assert predictions["outline"].indices.shape == (50, 80)


def test_export_bundle_writes_only_its_files(exported):
    names = {path.name for path in exported.path.iterdir()}
    assert names == {CARD, GRAPH, MANIFEST, MODULES, PROGRAM, RUNNER, WEIGHTS}
    assert [path.name for path in exported.path.parent.iterdir()] == ["bundle"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in exported.path.iterdir()}
    assert len(modes) == 1
    assert len(exported.steps) == 4


def test_manifest_describes_network_and_differences(exported):
    manifest = json.loads((exported.path / MANIFEST).read_text())
    assert manifest["architecture"]["plan"]["rows"] == [list(r) for r in exported.network.plan.rows]
    assert len(manifest["architecture"]["units"]) == len(exported.network.units)
    assert manifest["tasks"]["boxes"]["classes"] == list(networks.CLASSES)
    assert manifest["metrics"] == {"breed": {"accuracy": 0.5, "f1": None}}
    assert manifest["check"]["batch_sizes"] == [1, 4]
    for gaps in manifest["check"]["differences"].values():
        assert set(gaps) == {"boxes.boxes", "boxes.scores", "breed.scores", "outline.scores"}
        assert max(gaps.values()) <= TOLERANCE
    distinct = {id(weight): weight.numel() for weight in exported.network.parameters()}
    assert manifest["architecture"]["parameters"] == sum(distinct.values())


@pytest.fixture
def code_blocks(exported, tmp_path, monkeypatch):
    """Return the code of the model card, in a folder with the bundle and a rotated photo."""
    upright = Image.effect_noise((40, 30), 90).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # Viewers rotate the image by 90 degrees.
    rotated = upright.transpose(Image.Transpose.ROTATE_90)
    shutil.copytree(exported.path, tmp_path / "bundle")
    rotated.save(tmp_path / "bundle" / "photo.jpg", exif=exif, quality=100, subsampling=0)
    monkeypatch.chdir(tmp_path / "bundle")
    monkeypatch.setattr(sys, "path", [*sys.path])
    blocks = Path(CARD).read_text().split("```python\n")[1:]
    return [block.split("```")[0] for block in blocks]


def test_code_of_model_card_predicts_and_draws(exported, code_blocks):
    names = {}
    exec(compile(code_blocks[0], CARD, "exec"), names)
    expected = open_bundle(exported.path).predict("photo.jpg")
    assert (names["predictions"]["outline"].indices == expected["outline"].indices).all()
    with Image.open("drawn.png") as drawn:
        assert drawn.width > 3 * 256


def test_code_of_model_card_gives_the_tensors(exported, code_blocks, capsys):
    names = {}
    exec(compile(code_blocks[1], CARD, "exec"), names)
    assert "boxes.scores (1, " in capsys.readouterr().out
    bundle = open_bundle(exported.path)
    pixels = bundle.manifest.preprocessing(read_image(Path("photo.jpg")))
    expected = bundle.run(pixels[None])
    for task, tensors in expected.items():
        for name, value in tensors.items():
            np.testing.assert_allclose(names["outputs"][f"{task}.{name}"], value, atol=1e-5)


def test_export_bundle_keeps_network_unchanged(exported):
    assert exported.is_unchanged


@pytest.mark.parametrize(
    "backbone", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_export_bundle_supports_backbone_family(backbone, tmp_path):
    tasks = networks.tasks()
    network = networks.network(backbone, tasks)
    out = export_bundle(network, tasks, tmp_path / "bundle", **networks.export_arguments(network))
    check = open_bundle(out).manifest.check
    assert max(max(gaps.values()) for gaps in check["differences"].values()) <= TOLERANCE


@pytest.mark.parametrize("count", [1, 3])
def test_export_bundle_compares_few_images(count, tmp_path):
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    arguments = networks.export_arguments(network) | {"images": networks.images(count)}
    out = export_bundle(network, tasks, tmp_path / "bundle", **arguments)
    assert open_bundle(out).manifest.check["images"] == count
    images = networks.images(6, seed=1)
    named = {
        f"{task}.{name}": array
        for task, tensors in open_bundle(out).run(images.numpy()).items()
        for name, array in tensors.items()
    }
    _assert_close(named, _expected(network, tasks, images))


def test_export_bundle_supports_plan_with_skips(tmp_path):
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks, plan_of=networks.rejoining)
    arguments = networks.export_arguments(network) | {"images": networks.images(2)}
    out = export_bundle(network, tasks, tmp_path / "bundle", **arguments)
    manifest = open_bundle(out).manifest
    assert manifest.check["images"] == 2
    assert manifest.plan == network.plan
    assert manifest.plan.has_skips
    assert manifest.plan.statistics == "path"
    assert manifest.units == network.units
    assert "breed+outline | boxes skips" in open_bundle(out).describe()
    differences = manifest.check["differences"].values()
    assert max(max(gaps.values()) for gaps in differences) <= TOLERANCE


class Sharp(networks.Category):
    """Task whose logits are large, as after a training that overfits."""

    kind = "sharp"

    def predict(self, outputs):
        return {"scores": (outputs["raw"].mean((2, 3)) * 1e5).sigmoid()}


def test_export_bundle_allows_rounding_of_large_logits(tmp_path):
    tasks = networks.tasks(breed=Sharp("breed"))
    network = networks.network("test_resnet", tasks)
    arguments = networks.export_arguments(network)
    with torch.no_grad():  # the logits of the first image are near zero, where sigmoid is steep
        raw = network(arguments["images"])["breed"]["raw"]
        network.heads["breed"].project.bias.sub_(raw.mean((2, 3))[0])
    out = export_bundle(network, tasks, tmp_path / "bundle", **arguments)
    check = open_bundle(out).manifest.check
    assert check["differences"][WEIGHTS]["breed.scores"] == 0
    assert check["differences"][GRAPH]["outline.scores"] <= TOLERANCE


class RandomScale(networks.Category):
    """Task that multiplies by a new random number per call; a graph keeps the first."""

    kind = "random-scale"

    def predict(self, outputs):
        return {"scores": outputs["raw"].mean((2, 3)).softmax(1) * random.uniform(0.5, 1)}


class Infinite(networks.Category):
    kind = "infinite"

    def predict(self, outputs):
        return {"scores": outputs["raw"].mean((2, 3)) / 0}


class Traced(networks.Category):
    """Task that computes other values during export."""

    kind = "traced"

    def predict(self, outputs):
        scores = outputs["raw"].mean((2, 3)).softmax(1)
        return {"scores": scores * 1.001 if torch.compiler.is_exporting() else scores}


class Counting(networks.Category):
    """Task that reads a number from a tensor, which cannot be traced."""

    kind = "counting"

    def predict(self, outputs):
        scores = outputs["raw"].mean((2, 3)).softmax(1)
        return {"scores": scores if scores.sum().item() > 0 else -scores}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (RandomScale, f"{WEIGHTS} differs"),
        (Infinite, f"{WEIGHTS} differs"),
        (Traced, f"{GRAPH} differs.*breed.scores by 0.001"),
        (Counting, "cannot trace"),
    ],
)
def test_export_bundle_that_differs_is_not_written(task, reason, tmp_path):
    tasks = networks.tasks(breed=task("breed"))
    network = networks.network("test_resnet", tasks)
    with pytest.raises(ExportError, match=reason) as caught:
        export_bundle(network, tasks, tmp_path / "bundle", **networks.export_arguments(network))
    assert caught.value.next_step
    assert list(tmp_path.iterdir()) == []


def test_failed_export_keeps_existing_bundle(exported, tmp_path):
    out = tmp_path / "bundle"
    shutil.copytree(exported.path, out)
    arguments = networks.export_arguments(exported.network)
    random_scale = networks.tasks(breed=RandomScale("breed"))
    with pytest.raises(ExportError):
        export_bundle(exported.network, random_scale, out, **arguments)
    assert open_bundle(out).manifest == open_bundle(exported.path).manifest
    export_bundle(exported.network, exported.tasks, out, **arguments | {"extra": {"again": True}})
    assert open_bundle(out).manifest.extra == {"again": True}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def _add_a_file(bundle):
    (bundle / "notes.txt").write_text("mine")


def _add_a_folder(bundle):
    (bundle / "predictions").mkdir()


def _edit_the_manifest(bundle):
    path = bundle / MANIFEST
    path.write_text(path.read_text().replace('"score_threshold": 0.3', '"score_threshold": 0.2'))


def _edit_the_card(bundle):
    (bundle / CARD).write_text("mine")


def _link_the_graph(bundle):
    shutil.copy(bundle / GRAPH, bundle.parent / GRAPH)
    (bundle / GRAPH).unlink()
    (bundle / GRAPH).symlink_to(bundle.parent / GRAPH)


def _break_the_manifest(bundle):
    (bundle / MANIFEST).write_text('{"format": "mtlsearch-bundle"}')


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (_add_a_file, "notes.txt"),
        (_add_a_folder, "predictions"),
        (_edit_the_manifest, MANIFEST),
        (_edit_the_card, CARD),
        (_link_the_graph, GRAPH),
        (_break_the_manifest, MANIFEST),
    ],
)
def test_export_replaces_no_file_of_the_user(exported, tmp_path, change, name):
    out = tmp_path / "bundle"
    shutil.copytree(exported.path, out)
    change(out)
    before = {path.name: path.lstat().st_mtime_ns for path in out.iterdir()}
    with pytest.raises(ExportError, match=f"did not write.*{name}") as caught:
        export_bundle(
            exported.network, exported.tasks, out, **networks.export_arguments(exported.network)
        )
    assert caught.value.next_step
    assert {path.name: path.lstat().st_mtime_ns for path in out.iterdir()} == before


@pytest.mark.parametrize("out", [".", "..", "../empty"])
def test_export_to_the_working_directory_raises(out, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    with pytest.raises(ExportError, match="working directory") as caught:
        export_bundle(network, tasks, Path(out), **networks.export_arguments(network))
    assert caught.value.next_step
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


@pytest.mark.parametrize("entry", ["folder", "file"])
def test_export_bundle_to_other_path_raises(entry, tmp_path):
    out = tmp_path / "mine"
    kept = out / "thesis.tex" if entry == "folder" else out
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("years of work")
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    with pytest.raises(ExportError, match="not a bundle"):
        export_bundle(network, tasks, out, **networks.export_arguments(network))
    assert kept.read_text() == "years of work"


@pytest.mark.parametrize("shape", [(0, 3, 64, 64), (4, 3, 32, 32), (4, 64, 64)])
def test_export_bundle_with_wrong_images_raises(shape, tmp_path):
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    with pytest.raises(ExportError, match="prepared images"):
        export_bundle(
            network,
            tasks,
            tmp_path / "bundle",
            **networks.export_arguments(network) | {"images": torch.zeros(shape)},
        )


def test_export_bundle_with_wrong_weights_raises(tmp_path, monkeypatch):
    """Verification reads the written file, not the tensors in memory."""
    from mtlsearch.export import _weights

    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks)
    monkeypatch.setattr(_weights, "save_model", _swap(_weights.save_model))
    with pytest.raises(ExportError, match=WEIGHTS):
        export_bundle(network, tasks, tmp_path / "bundle", **networks.export_arguments(network))


def _swap(save_model):
    def save_another(network: nn.Module, path: str) -> None:
        save_model(networks.network("test_resnet", networks.tasks(), seed=3), path)

    return save_another
