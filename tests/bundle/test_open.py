"""Opening: a whole bundle runs, a damaged or hostile one is refused with a reason."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from mtlsearch.bundle import GRAPH, MANIFEST, Manifest, is_bundle, open_bundle
from mtlsearch.errors import ExportError
from tests.bundle import small


def _edit(bundle, change):
    path = bundle / MANIFEST
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_it_predicts_every_image_in_its_own_size(bundle):
    images = [Image.new("RGB", (30, 20), "red"), Image.new("RGB", (5, 7), "blue")]
    opened = open_bundle(bundle)
    first, second = opened.predict(images, batch_size=1)
    assert (first["colour"].index, second["colour"].index) == (0, 2)
    assert first["tint"].indices.shape == (20, 30)
    assert second["tint"].indices.shape == (7, 5)
    assert (second["tint"].indices == 2).all()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_batches_change_nothing(bundle, batch_size):
    chance = np.random.default_rng(0)
    images = [Image.fromarray(chance.integers(0, 256, (9, 9 + at, 3), np.uint8)) for at in range(5)]
    opened = open_bundle(bundle)
    alone = [opened.predict([image])[0] for image in images]
    for one, other in zip(alone, opened.predict(images, batch_size=batch_size), strict=True):
        assert np.allclose(one["colour"].scores, other["colour"].scores)
        assert (one["tint"].indices == other["tint"].indices).all()


def test_no_image_is_no_prediction(bundle):
    assert open_bundle(bundle).predict([]) == []


def test_it_describes_itself(bundle):
    text = open_bundle(bundle).describe()
    for part in ("none", "stem", "colour+tint", "red, green, blue", "accuracy 0.5", "8 x 12"):
        assert part in text
    assert "f1 undefined" in text


def test_the_manifest_reads_back_what_it_writes():
    value = json.loads(json.dumps(small.manifest().to_json()))
    assert Manifest.from_json(value, "here") == small.manifest()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda at: (at / MANIFEST).unlink(), "no bundle here"),
        (lambda at: (at / MANIFEST).write_text("{"), "no JSON"),
        (lambda at: (at / MANIFEST).write_text("[1]"), "not the bundle.json"),
        (lambda at: (at / GRAPH).unlink(), "missing"),
        (lambda at: (at / GRAPH).write_bytes(b"\0"), "SHA-256"),
        (lambda at: _edit(at, lambda v: v.update(format="zip")), "not the bundle.json"),
        (lambda at: _edit(at, lambda v: v.update(version=99)), "format version 99"),
        (lambda at: _edit(at, lambda v: v.pop("tasks")), "no 'tasks'"),
        (lambda at: _edit(at, lambda v: v["files"].clear()), "lists no model.onnx"),
        (lambda at: _edit(at, lambda v: v["preprocessing"].update(mean=[1])), "3 numbers"),
        (lambda at: _edit(at, lambda v: v["preprocessing"].update(size=[0, 8])), "size"),
        (lambda at: _edit(at, lambda v: v["preprocessing"].update(resize="x")), "filter"),
        (lambda at: _edit(at, lambda v: v["tasks"]["tint"].update(form="sound")), "sound"),
        (lambda at: _edit(at, lambda v: v["tasks"]["tint"].update(options={"a": "b"})), "options"),
        (lambda at: _edit(at, lambda v: v["architecture"]["plan"].update(rows=[])), "plan"),
        (lambda at: _edit(at, lambda v: v["architecture"].update(units=[7])), "unit"),
        (lambda at: _edit(at, lambda v: v["architecture"].update(parameters=True)), "whole"),
    ],
)
def test_damage_is_named_with_a_next_step(bundle, damage, reason):
    damage(bundle)
    with pytest.raises(ExportError, match=reason) as caught:
        open_bundle(bundle)
    assert caught.value.where
    assert caught.value.next_step


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", "", "c:d", "a\\b"])
def test_a_file_outside_the_folder_is_never_opened(bundle, name):
    _edit(bundle, lambda v: v["files"].update({name: {"sha256": "0", "bytes": 0}}))
    with pytest.raises(ExportError, match="not the name of a file"):
        open_bundle(bundle)


def test_a_link_out_of_the_folder_is_not_followed(bundle, tmp_path):
    shutil.move(bundle / GRAPH, tmp_path / "elsewhere")
    (bundle / GRAPH).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportError, match="missing"):
        open_bundle(bundle)


def test_a_graph_with_other_outputs_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"no output colour\.scores, tint\.scores"):
        open_bundle(small.write(tmp_path / "other", small.graph("my.")))


def test_what_is_no_graph_is_refused(tmp_path):
    with pytest.raises(ExportError, match="cannot load the graph"):
        open_bundle(small.write(tmp_path / "noise", b"no protobuf"))


@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin"])
def test_weights_in_another_file_are_never_read(tmp_path, place):
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", "12")):
        weights.external_data.add(key=key, value=value)
    made = helper.make_graph(
        [helper.make_node("Add", ["images", "w"], ["colour.scores"])],
        "external",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("colour.scores", TensorProto.FLOAT, ["batch", 3])],
        [weights],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder = small.write(tmp_path / "bundle", model.SerializeToString())
    (folder / place).write_bytes(bytes(12))
    with pytest.raises(ExportError, match="cannot load the graph"):
        open_bundle(folder)


def test_only_a_bundle_is_one(bundle, tmp_path):
    assert is_bundle(bundle)
    assert not is_bundle(tmp_path)
    assert not is_bundle(tmp_path / "nothing")


def test_predicting_imports_no_training_code(bundle):
    code = """
import sys
from PIL import Image
from mtlsearch.bundle import draw_all, open_bundle
bundle = open_bundle(sys.argv[1])
image = Image.new("RGB", (9, 9))
draw_all(bundle.tasks, image, bundle.predict([image])[0])
heavy = {"torch", "torchvision", "timm", "onnx", "optuna", "pandas", "pydantic", "matplotlib"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
