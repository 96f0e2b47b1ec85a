"""A graph without layers that returns tensors of all forms."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mtlsearch.labels import Form
from mtlsearch.prediction import OutputSpec

SIZE = (8, 12)
NAMES = ("red", "green", "blue")
NUM_BOXES = 60

FORMS: dict[str, OutputSpec] = {
    "kind": OutputSpec(Form.CATEGORY, NAMES),
    "tags": OutputSpec(Form.CATEGORIES, NAMES),
    "things": OutputSpec(Form.BOXES, NAMES, options={"vote_threshold": 0.6, "iou_threshold": 0.3}),
    "parts": OutputSpec(Form.MASK, NAMES),
    "age": OutputSpec(Form.NUMBER, unit="years"),
    "depth": OutputSpec(Form.MAP, unit="m"),
}


def raw_graph() -> bytes:
    """Return a graph without layers: its tensors of all forms are linear in the image."""
    generator = np.random.default_rng(0)
    nodes, weights = [helper.make_node("Flatten", ["images"], ["flat"])], []
    shapes = {
        "kind.scores": [3], "tags.scores": [3], "things.scores": [NUM_BOXES, 3],
        "things.centers": [NUM_BOXES, 2], "parts.scores": [3, 4, 6], "age.value": [],
        "depth.values": [2, *SIZE],
    }  # fmt: skip

    def constant(name: str, array: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(array, name))
        return name

    for name, shape in shapes.items():
        matrix = generator.normal(0, 0.3, (3 * 8 * 12, int(np.prod(shape)))).astype(np.float32)
        inputs = ["flat", constant(f"{name}.weight", matrix)]
        nodes.append(helper.make_node("MatMul", inputs, [f"{name}.linear"]))
        nodes.append(helper.make_node("Sigmoid", [f"{name}.linear"], [f"{name}.flat"]))
        to = constant(f"{name}.shape", np.array([-1, *shape], np.int64))
        nodes.append(helper.make_node("Reshape", [f"{name}.flat", to], [name]))
    # Centers of a few places, so that boxes overlap; some of them reach beyond the image.
    places = constant("places", np.array([12, 8], np.float32))
    half = constant("half", generator.uniform(1, 4, (1, NUM_BOXES, 2)).astype(np.float32))
    nodes += [
        helper.make_node("Mul", ["things.centers", places], ["centers"]),
        helper.make_node("Sub", ["centers", half], ["low"]),
        helper.make_node("Add", ["centers", half], ["high"]),
        helper.make_node("Concat", ["low", "high"], ["things.boxes"], axis=2),
    ]
    axes = {**shapes, "things.boxes": [NUM_BOXES, 4]}
    del axes["things.centers"]
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes, "forms", [value("images", TensorProto.FLOAT, ["batch", 3, *SIZE])],
        [value(name, TensorProto.FLOAT, ["batch", *shape]) for name, shape in axes.items()],
        weights,
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())
