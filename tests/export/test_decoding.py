"""A graph with decoding gives the predictions that numpy decodes from its raw tensors."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mtlsearch.bundle import CARD, GRAPH, RUNNER, Bundle, Preprocessing, open_graph
from mtlsearch.errors import ConfigError, ExportError
from mtlsearch.evaluation import bundle_job
from mtlsearch.export import open_bundle
from mtlsearch.export.decoding import add_decoding, check_decoding, prediction_difference
from tests.bundle import small
from tests.cli.program import call
from tests.export.forms import FORMS, NAMES, SIZE, raw_graph
from tests.export.test_program import run

pytestmark = pytest.mark.xdist_group("exported")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    """Return a bundle with tasks of all forms, and the same with decoding."""
    folder = tmp_path_factory.mktemp("forms")
    (folder / GRAPH).write_bytes(raw_graph())
    (folder / "decoded.onnx").write_bytes(raw_graph())
    add_decoding(folder / "decoded.onnx", FORMS, input_size=SIZE)
    model = onnx.load(folder / "decoded.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    plain = Preprocessing(SIZE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    manifest = replace(small.manifest(), tasks=FORMS, preprocessing=plain)
    decoded = replace(manifest, decoded=True)
    return (
        Bundle(folder, manifest, open_graph(folder / GRAPH)),
        Bundle(folder, decoded, open_graph(folder / "decoded.onnx")),
    )


def pictures(seed: int, sizes: list[tuple[int, int]]) -> list[Image.Image]:
    generator = np.random.default_rng(seed)
    return [
        Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8))
        for height, width in sizes
    ]


def require_equal(raw: Bundle, decoded: Bundle, images: list[Image.Image]) -> list[dict[str, Any]]:
    """Check that both bundles predict the same; return the predictions."""
    expected, actual = raw.predict(images), decoded.predict(images)
    for predictions, others in zip(actual, expected, strict=True):
        assert set(predictions) == set(others)
        for task, prediction in predictions.items():
            assert prediction_difference(prediction, others[task]) <= 1e-4, task
    return expected


@given(
    seed=st.integers(0, 1000),
    conf=st.none() | st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0]),
    iou=st.none() | st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    classes=st.lists(st.sampled_from(NAMES), unique=True),
    sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_decoding_equals_numpy_for_all_forms(pair, seed, conf, iou, classes, sizes):
    raw, decoded = (bundle.select(conf=conf, iou=iou, classes=classes) for bundle in pair)
    require_equal(raw, decoded, pictures(seed, sizes))


def test_defaults_of_the_graph_are_those_of_the_bundle(pair):
    raw, decoded = pair
    (image,) = pictures(0, [(20, 30)])
    session = open_graph(decoded.path / "decoded.onnx")
    inputs = {
        "images": decoded.manifest.preprocessing(image)[None],
        "image_size": np.array([20, 30], np.int64),
    }
    names = [output.name for output in session.get_outputs()]
    arrays = dict(zip(names, session.run(names, inputs), strict=True))
    expected = raw.predict(image)["things"]
    assert 1 < arrays["things.count"][0] == len(expected.scores)
    count = len(expected.scores)
    assert np.allclose(arrays["things.boxes"][0, :count], expected.xyxy, atol=1e-4)
    assert not arrays["things.boxes"][0, count:].any()
    assert arrays["parts.labels"].shape == (1, 20, 30)


def test_option_of_few_boxes_is_kept(tmp_path):
    spec = replace(FORMS["things"], options={"max_detections": 2, "candidates": 9})
    tasks = {**FORMS, "things": spec}
    (tmp_path / GRAPH).write_bytes(raw_graph())
    add_decoding(tmp_path / GRAPH, tasks, input_size=SIZE)
    images = np.random.default_rng(0).random((3, 3, *SIZE), np.float32)
    gaps = check_decoding(tmp_path / GRAPH, tasks, images, input_size=SIZE)
    assert max(gaps.values()) <= 1e-4
    assert [path.name for path in tmp_path.iterdir()] == [GRAPH]


def test_wrong_decoding_is_refused(tmp_path):
    (tmp_path / GRAPH).write_bytes(raw_graph())
    add_decoding(tmp_path / GRAPH, FORMS, input_size=SIZE)
    images = np.random.default_rng(0).random((3, 3, *SIZE), np.float32)
    other = replace(FORMS["things"], options={"vote_threshold": 1.0, "iou_threshold": 0.3})
    with pytest.raises(ExportError, match="things by"):
        check_decoding(tmp_path / GRAPH, {**FORMS, "things": other}, images, input_size=SIZE)


def test_exported_network_decodes_as_the_bundle_without(exported, decoded):
    raw, other = open_bundle(exported.path), open_bundle(decoded)
    images = pictures(1, [(50, 80), (33, 20), (64, 64), (50, 80)])
    predictions = require_equal(raw, other, images)
    assert sum(len(prediction["boxes"].scores) for prediction in predictions) > 4
    kinds = {"conf": 0.35, "iou": 0.9, "classes": ["dog", "hare"]}
    require_equal(raw.select(**kinds), other.select(**kinds), images)
    manifest = json.loads((decoded / "bundle.json").read_text())
    assert manifest["decoded"] is True
    assert set(manifest["check"]["decoding"]) == set(exported.tasks)


def test_program_and_command_use_the_decoding(decoded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (image,) = pictures(2, [(50, 80)])
    image.save("a.png")
    expected = call("predict", decoded, "a.png", "--conf", "0.3")
    assert expected.returncode == 0, expected.stderr
    result = run(sys.executable, decoded / RUNNER, "a.png", "--conf", "0.3", cwd=tmp_path)
    assert json.loads(result.stdout) == json.loads(expected.stdout)


def test_model_card_code_passes_the_image_size(decoded, tmp_path, monkeypatch, capsys):
    shutil.copytree(decoded, tmp_path / "bundle")
    monkeypatch.chdir(tmp_path / "bundle")
    pictures(3, [(30, 40)])[0].save("photo.jpg")
    code = Path(CARD).read_text().split("```python\n")[-1].partition("```")[0]
    exec(compile(code, CARD, "exec"), {})
    assert "outline.labels (1, 30, 40)" in capsys.readouterr().out


def test_evaluation_refuses_decoded_bundles(decoded):
    with pytest.raises(ConfigError, match="final predictions"):
        bundle_job(open_bundle(decoded), None, split="val", resamples=0, seed=0)
