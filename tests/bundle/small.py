"""Bundle with a graph of four nodes, built without a network or torch."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from mtlsearch.bundle import GRAPH, MANIFEST, Manifest, Preprocessing, digest_of
from mtlsearch.labels import Form
from mtlsearch.plan import SharingPlan, UnitSpec
from mtlsearch.prediction import OutputSpec

SIZE = (8, 12)
CLASSES = ("red", "green", "blue")


def manifest() -> Manifest:
    """Return the manifest, without checksums."""
    return Manifest(
        mtlsearch="0.1.0",
        backbone="none",
        units=(UnitSpec(0, "stem", 3, 1, 0, 0),),
        plan=SharingPlan.hard(["color", "tint"], 1),
        parameters=0,
        candidate={},
        preprocessing=Preprocessing(SIZE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        tasks={
            "color": OutputSpec(Form.CATEGORY, CLASSES),
            "tint": OutputSpec(Form.MASK, CLASSES),
        },
        metrics={"color": {"accuracy": 0.5, "f1": None}},
        check={},
        files={},
    )


def graph(prefix: str = "") -> bytes:
    """Return the ONNX graph: ``color`` is the softmax of the mean color, ``tint`` the image."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Softmax", ["flat"], [prefix + "color.scores"], axis=1),
        helper.make_node("Identity", ["images"], [prefix + "tint.scores"]),
    ]
    pixels = ["batch", 3, *SIZE]
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "small",
        [value("images", TensorProto.FLOAT, pixels)],
        [
            value(prefix + "color.scores", TensorProto.FLOAT, ["batch", 3]),
            value(prefix + "tint.scores", TensorProto.FLOAT, pixels),
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write(folder: Path, content: bytes | None = None) -> Path:
    """Write a bundle with a graph and return its folder."""
    folder.mkdir()
    (folder / GRAPH).write_bytes(graph() if content is None else content)
    value = manifest().to_json()
    entry = digest_of(folder / GRAPH)
    value["files"] = {GRAPH: {"sha256": entry.sha256, "bytes": entry.bytes}}
    (folder / MANIFEST).write_text(json.dumps(value), encoding="utf-8")
    return folder
