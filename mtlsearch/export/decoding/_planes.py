"""Decoding of masks and maps: planes in the size of the image."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from mtlsearch.export.decoding._nodes import Nodes

_RESIZE = {
    "mode": "linear",
    "coordinate_transformation_mode": "half_pixel",
    "antialias": 1,
    "exclude_outside": 1,  # Pillow ignores pixels beyond the edge
    "axes": [2, 3],
}
"""Attributes of ``Resize`` that compute what Pillow's bilinear filter does."""


def resize_planes(nodes: Nodes, planes: ir.Value, size: ir.Value) -> ir.Value:
    """Append the node that resizes planes bilinearly; shrinking averages.

    Args:
        nodes: list of nodes that grows.
        planes: float32 ``[B, K, h, w]``.
        size: height and width, int64 ``[2]``.

    Returns:
        Float32 ``[B, K, height, width]``.
    """
    return nodes.add_many(1, "Resize", planes, None, None, size, **_RESIZE)[0]


def largest_plane(nodes: Nodes, scores: ir.Value, size: ir.Value, num_classes: int) -> ir.Value:
    """Append the nodes that find the class with the largest resized score at every pixel.

    A ``Scan`` over the classes resizes one plane at a time, because all classes of a photograph
    can exceed the memory.

    Args:
        nodes: list of nodes that grows.
        scores: float32 ``[B, C, h, w]``.
        size: height and width, int64 ``[2]``.
        num_classes: number of classes C.

    Returns:
        Class indices ``[B, height, width]``: uint8 up to 255 classes, else int32.
    """
    shape = nodes.add("Concat", nodes.add("Shape", scores, start=0, end=1), size, axis=0)
    lowest = nodes.add("Expand", nodes.constant(-np.inf, np.float32), shape)
    first = nodes.add("Expand", nodes.constant(0, np.int32), shape)
    planes = nodes.add("Transpose", scores, perm=[1, 0, 2, 3])
    _, labels, _, _ = nodes.add_many(
        4,
        "Scan",
        lowest,
        first,
        nodes.constant(0, np.int32),
        size,
        planes,
        body=_step(),
        num_scan_inputs=1,
    )
    kind = ir.DataType.UINT8 if num_classes < 256 else ir.DataType.INT32
    return nodes.add("Cast", labels, to=kind)


def _step() -> ir.Graph:
    """Return the graph that compares the plane of one class with the best so far."""
    nodes = Nodes("step")
    best = ir.val("best", ir.DataType.FLOAT, ["batch", "height", "width"])
    labels = ir.val("labels", ir.DataType.INT32, ["batch", "height", "width"])
    index = ir.val("index", ir.DataType.INT32, [])
    size = ir.val("size", ir.DataType.INT64, [2])
    plane = ir.val("plane", ir.DataType.FLOAT, ["batch", "h", "w"])
    axis = nodes.integers(1)
    resized = resize_planes(nodes, nodes.add("Unsqueeze", plane, axis), size)
    resized = nodes.add("Squeeze", resized, axis)
    is_larger = nodes.add("Greater", resized, best)
    outputs = [
        nodes.add("Where", is_larger, resized, best),
        nodes.add("Where", is_larger, index, labels),
        nodes.add("Add", index, nodes.constant(1, np.int32)),
        nodes.add("Identity", size),
    ]
    for output, value in zip(outputs, (best, labels, index, size), strict=True):
        output.type, output.shape = value.type, value.shape
    return ir.Graph(
        [best, labels, index, size, plane], outputs, nodes=nodes.nodes, name="largest_plane"
    )
