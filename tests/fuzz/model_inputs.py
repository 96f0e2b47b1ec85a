"""Checkpoints, weights and bundles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import nn

from mtlsearch.bundle import (
    GRAPH,
    MANIFEST,
    Preprocessing,
    digest_of,
    foreign_files,
    is_bundle,
    open_bundle,
    predict_files,
)
from mtlsearch.labels import Form
from mtlsearch.models.loading._weights import load_weights
from mtlsearch.plan import SharingPlan
from mtlsearch.prediction import OutputSpec
from mtlsearch.training import Checkpointing
from tests.bundle import small
from tests.fuzz.pictures import noise
from tests.training.fakes import Network, Points, config, guesses
from tests.training.fakes import run as train

TASKS = ("a", "b")


def write_checkpoint(folder: Path) -> None:
    torch.manual_seed(0)
    settings = config(epochs=3)
    data = Points(labeled={"b": range(9)})
    train(
        Network(*TASKS),
        guesses(*TASKS),
        data,
        settings,
        checkpointing=Checkpointing(1, folder / "c.pt"),
    )


def read_checkpoint(folder: Path) -> None:
    data = Points(labeled={"b": range(9)})
    checkpointing = Checkpointing(2, folder / "c.pt")
    train(Network(*TASKS), guesses(*TASKS), data, config(epochs=3), checkpointing=checkpointing)


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)


def write_weights(folder: Path) -> None:
    torch.manual_seed(0)
    state = Plain().state_dict()
    torch.save(state, folder / "w.pt")
    torch.save(
        {"state_dict": state, "epoch": 3}, folder / "l.pth", _use_new_zipfile_serialization=False
    )
    save_file(state, folder / "w.safetensors")


def read_weights(folder: Path) -> None:
    load_weights(Plain(), folder / (folder / "changed").read_text(), optional=())


BOXES = 5


def graph() -> bytes:
    """Return a graph with outputs of all forms."""
    node, value = helper.make_node, helper.make_tensor_value_info
    pixels = ["batch", 3, *small.SIZE]
    rows = np.linspace(0, 8, BOXES * 4, dtype=np.float32).reshape(1, BOXES, 4)
    scores = np.linspace(0, 1, BOXES * 3, dtype=np.float32).reshape(1, BOXES, 3)
    constants = [
        onnx.numpy_helper.from_array(rows, "rows"),
        onnx.numpy_helper.from_array(scores, "row_scores"),
        onnx.numpy_helper.from_array(np.array([0, 0, 0], np.int64), "axes"),
        onnx.numpy_helper.from_array(np.array([1, 2], np.int64), "last"),
    ]
    nodes = [
        node("GlobalAveragePool", ["images"], ["mean"]),
        node("Flatten", ["mean"], ["flat"]),
        node("Softmax", ["flat"], ["color.scores"], axis=1),
        node("Sigmoid", ["flat"], ["tags.scores"]),
        node("Identity", ["images"], ["tint.scores"]),
        node("Identity", ["images"], ["depth.values"]),
        node("ReduceMean", ["flat"], ["weight.value"], axes=[1], keepdims=0),
        node("ReduceMean", ["images"], ["one"], axes=[1, 2, 3], keepdims=0),
        node("Unsqueeze", ["one", "last"], ["ones"]),
        node("Mul", ["ones", "zero"], ["zeros"]),
        node("Add", ["zeros", "rows"], ["things.boxes"]),
        node("Add", ["zeros", "row_scores"], ["things.scores"]),
    ]
    constants.append(onnx.numpy_helper.from_array(np.zeros((1, 1, 1), np.float32), "zero"))
    outputs = [
        value("color.scores", TensorProto.FLOAT, ["batch", 3]),
        value("tags.scores", TensorProto.FLOAT, ["batch", 3]),
        value("tint.scores", TensorProto.FLOAT, pixels),
        value("depth.values", TensorProto.FLOAT, pixels),
        value("weight.value", TensorProto.FLOAT, ["batch"]),
        value("things.boxes", TensorProto.FLOAT, ["batch", BOXES, 4]),
        value("things.scores", TensorProto.FLOAT, ["batch", BOXES, 3]),
    ]
    made = helper.make_graph(
        nodes, "forms", [value("images", TensorProto.FLOAT, pixels)], outputs, constants
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_bundle(folder: Path) -> None:
    classes = small.CLASSES
    specs = {
        "color": OutputSpec(Form.CATEGORY, classes),
        "tags": OutputSpec(Form.CATEGORIES, classes, options={"score_threshold": 0.4}),
        "tint": OutputSpec(Form.MASK, classes),
        "depth": OutputSpec(Form.MAP, unit="m"),
        "weight": OutputSpec(Form.NUMBER, unit="kg"),
        "things": OutputSpec(
            Form.BOXES,
            classes,
            options={
                "score_threshold": 0.05,
                "iou_threshold": 0.5,
                "vote_threshold": 0.9,
                "candidates": 100,
                "max_detections": 10,
                "draw_threshold": 0.3,
            },
        ),
    }
    (folder / GRAPH).write_bytes(graph())
    manifest = replace(
        small.manifest(),
        tasks=specs,
        plan=SharingPlan.hard(sorted(specs), 1),
        preprocessing=Preprocessing(small.SIZE, (0.4,) * 3, (0.2,) * 3),
        metrics={name: {"accuracy": 0.5} for name in specs},
    )
    (folder / MANIFEST).write_text(json.dumps(manifest.to_json()))
    seal_bundle(folder)
    (folder / "images").mkdir()
    noise(0, (30, 20)).save(folder / "images" / "photo.png")


def seal_bundle(folder: Path) -> None:
    """Write the checksum of the graph, so that its changes are not detected as damage."""
    value = json.loads((folder / MANIFEST).read_text())
    entry = digest_of(folder / GRAPH)
    value["files"] = {GRAPH: {"sha256": entry.sha256, "bytes": entry.bytes}}
    (folder / MANIFEST).write_text(json.dumps(value))


def read_bundle(folder: Path) -> None:
    is_bundle(folder)
    foreign_files(folder)
    bundle = open_bundle(folder)
    bundle.describe()
    errors: list[Exception] = []
    photo = folder / "images" / "photo.png"
    out = folder / "out"
    predict_files(bundle, [photo], out, on_error=errors.append)
    for path in out.iterdir() if out.is_dir() else ():
        path.unlink()
