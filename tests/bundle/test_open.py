"""Opening a bundle: a valid one runs, a damaged or malicious one is refused with a reason."""

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
from mtlsearch.errors import DataError, ExportError
from tests.bundle import small


def edit(bundle, change):
    """Change the JSON of a bundle's manifest."""
    path = bundle / MANIFEST
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def edited(change):
    """Return a function that makes a change to the manifest of a bundle."""
    return lambda bundle: edit(bundle, change)


def test_predictions_have_the_size_of_each_image(bundle):
    images = [Image.new("RGB", (30, 20), "red"), Image.new("RGB", (5, 7), "blue")]
    opened = open_bundle(bundle)
    first, second = opened.predict(images, batch_size=1)
    assert (first["color"].index, second["color"].index) == (0, 2)
    assert first["tint"].indices.shape == (20, 30)
    assert second["tint"].indices.shape == (7, 5)
    assert (second["tint"].indices == 2).all()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_predictions_do_not_depend_on_the_batch_size(bundle, batch_size):
    generator = np.random.default_rng(0)
    images = [
        Image.fromarray(generator.integers(0, 256, (9, width, 3), np.uint8))
        for width in range(9, 14)
    ]
    opened = open_bundle(bundle)
    single = [opened.predict([image])[0] for image in images]
    batched = opened.predict(images, batch_size=batch_size)
    for first, second in zip(single, batched, strict=True):
        assert np.allclose(first["color"].scores, second["color"].scores)
        assert (first["tint"].indices == second["tint"].indices).all()


def test_predict_accepts_paths_arrays_and_lists(bundle, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    image, path = Image.fromarray(pixels), tmp_path / "photo.png"
    image.save(path)
    opened = open_bundle(bundle)
    expected = opened.predict([image])[0]
    forms = [image, path, str(path), pixels]
    for predictions in [
        *map(opened.predict, forms),
        *opened.predict(forms),
        *opened.predict((image,)),
    ]:
        assert (predictions["color"].scores == expected["color"].scores).all()
        assert (predictions["tint"].indices == expected["tint"].indices).all()


@pytest.mark.parametrize("count", [2, 4, 7])
def test_predict_warns_of_bands_it_does_not_get(bundle, tmp_path, count):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 14, count), np.uint8)
    used = pixels[..., [0, 0, 0]] if count == 2 else pixels[..., :3]
    np.save(tmp_path / "bands.npy", pixels.transpose(2, 0, 1))
    opened = open_bundle(bundle)
    expected = opened.predict(used)
    for image in (pixels, tmp_path / "bands.npy"):
        with pytest.warns(UserWarning, match="the network does not get"):
            predictions = opened.predict(image)
        assert (predictions["tint"].indices == expected["tint"].indices).all()
        assert (predictions["color"].scores == expected["color"].scores).all()


def test_predict_rotates_images_by_their_orientation(bundle, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "rotated.png"
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    opened = open_bundle(bundle)
    with Image.open(path) as image:
        for predictions in opened.predict([image, path]):
            assert predictions["tint"].indices.shape == (40, 20)
            assert opened.draw(image, predictions).height > 20


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((2, 9, 9, 3), np.uint8), "list of arrays"),
        (np.zeros((3, 9, 9), np.uint8), "looks like"),
        (np.zeros((5, 64, 80), np.uint8), "looks like"),
        (np.zeros((9, 9, 3), np.float32), "pixel_range"),
        (np.full((9, 9, 3), "x"), "numbers"),
        (7, "got int"),
        (iter(()), "a list of these"),
        ("missing.jpg", "missing"),
    ],
)
def test_predict_of_another_value_is_refused(bundle, image, reason):
    with pytest.raises(DataError) as caught:
        open_bundle(bundle).predict(image)
    assert reason in str(caught.value)
    assert caught.value.next_step


def test_predict_without_images_returns_an_empty_list(bundle):
    assert open_bundle(bundle).predict([]) == []


def test_describe_contains_plan_tasks_and_metrics(bundle):
    text = open_bundle(bundle).describe()
    for part in ("none", "stem", "color+tint", "red, green, blue", "accuracy 0.5", "8 x 12"):
        assert part in text
    assert "f1 undefined" in text


def test_manifest_json_round_trip():
    text = json.dumps(small.manifest().to_json())
    assert Manifest.from_json(text, "here") == small.manifest()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / MANIFEST).unlink(), "not a bundle"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "not valid JSON"),
        (lambda folder: (folder / MANIFEST).write_text("[1]"), "not the bundle.json"),
        (lambda folder: (folder / GRAPH).unlink(), "missing"),
        (lambda folder: (folder / GRAPH).write_bytes(b"\0"), "SHA-256"),
        (edited(lambda v: v.update(format="zip")), "not the bundle.json"),
        (edited(lambda v: v.update(version=99)), "format version 99"),
        (edited(lambda v: v.pop("tasks")), "`tasks` is missing"),
        (edited(lambda v: v["files"].clear()), "lacks model.onnx"),
        (edited(lambda v: v["preprocessing"].update(mean=[1])), "mean"),
        (edited(lambda v: v["preprocessing"].update(std=[1, 1, float("nan")])), "finite"),
        (edited(lambda v: v["preprocessing"].update(size=[0, 8])), "size"),
        (edited(lambda v: v["preprocessing"].update(resize="x")), "bilinear"),
        (edited(lambda v: v["tasks"]["tint"].update(form="sound")), "sound"),
        (
            edited(lambda v: v["tasks"]["tint"].update(options={"a": "b"})),
            "options",
        ),
        (
            edited(lambda v: v["tasks"]["tint"].update(options={"max_detections": 1.5})),
            "`max_detections` must be a positive integer",
        ),
        (edited(lambda v: v["tasks"]["tint"].update(classes="red")), "a list is expected"),
        (edited(lambda v: v["tasks"].update(tint=[1])), "`tasks.tint` is invalid: an object"),
        (edited(lambda v: v["metrics"]["color"].update(f1="high")), "`metrics.color.f1`"),
        (edited(lambda v: v["architecture"]["plan"].update(rows=[])), "plan"),
        (edited(lambda v: v["architecture"].update(units=[7])), "unit"),
        (
            edited(lambda v: v["architecture"].update(parameters=True)),
            "integer",
        ),
    ],
)
def test_damaged_bundle_is_refused_with_a_next_step(bundle, damage, reason):
    damage(bundle)
    with pytest.raises(ExportError, match=reason) as caught:
        open_bundle(bundle)
    assert caught.value.where
    assert caught.value.next_step


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", "", "c:d", "a\\b"])
def test_file_name_with_a_path_is_refused(bundle, name):
    edit(bundle, lambda v: v["files"].update({name: {"sha256": "0", "bytes": 0}}))
    with pytest.raises(ExportError, match="not the name of a file"):
        open_bundle(bundle)


def test_link_instead_of_a_file_is_refused(bundle, tmp_path):
    shutil.move(bundle / GRAPH, tmp_path / "elsewhere")
    (bundle / GRAPH).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportError, match="missing"):
        open_bundle(bundle)


def test_graph_with_other_outputs_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"lacks the outputs color\.scores, tint\.scores"):
        open_bundle(small.write(tmp_path / "other", small.graph("my.")))


def test_invalid_graph_is_refused(tmp_path):
    with pytest.raises(ExportError, match="cannot load the graph"):
        open_bundle(small.write(tmp_path / "noise", b"no protobuf"))


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin"])
def test_weights_in_another_file_are_not_read(tmp_path, location):
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "12")):
        weights.external_data.add(key=key, value=value)
    made = helper.make_graph(
        [helper.make_node("Add", ["images", "w"], ["color.scores"])],
        "external",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("color.scores", TensorProto.FLOAT, ["batch", 3])],
        [weights],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder = small.write(tmp_path / "bundle", model.SerializeToString())
    (folder / location).write_bytes(bytes(12))
    with pytest.raises(ExportError, match="cannot load the graph"):
        open_bundle(folder)


def test_is_bundle_accepts_only_bundles(bundle, tmp_path):
    assert is_bundle(bundle)
    assert not is_bundle(tmp_path)
    assert not is_bundle(tmp_path / "nothing")


def test_predicting_imports_no_training_library(bundle):
    code = """
import sys
from PIL import Image
from mtlsearch.bundle import draw_all, open_bundle
bundle = open_bundle(sys.argv[1])
image = Image.new("RGB", (9, 9))
draw_all(bundle.tasks, image, bundle.predict([image])[0])
heavy = {"torch", "torchvision", "timm", "onnx", "optuna", "pandas", "matplotlib", "pydantic"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    process = subprocess.run(
        [sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


def test_missing_provider_is_named_or_left_out(bundle):
    with pytest.raises(ExportError, match="no MissingExecutionProvider") as error:
        open_bundle(bundle, providers=["MissingExecutionProvider"])
    assert "CPUExecutionProvider" in str(error.value)
    assert "onnxruntime-gpu" in str(error.value)
    names = ["MissingExecutionProvider", "CPUExecutionProvider"]
    with pytest.warns(UserWarning, match="CPUExecutionProvider is used") as warned:
        open_bundle(bundle, providers=names)
    assert len(warned) == 1
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, r"input must be \[batch, 3, 8, 12\] and \[2\]"),
        ("yes", "`decoded` is invalid: true or false is expected"),
    ],
)
def test_manifest_with_wrong_decoding_is_refused(bundle, value, message):
    edit(bundle, lambda manifest: manifest.update(decoded=value))
    with pytest.raises(ExportError, match=message):
        open_bundle(bundle)


def test_page_outside_of_the_bundle_is_refused(bundle):
    entry = {"sha256": "0", "bytes": 1}
    edit(bundle, lambda manifest: manifest.update(web={"../page.js": entry}))
    with pytest.raises(ExportError, match="is not the name of a file"):
        open_bundle(bundle)
