"""Decoding as a part of an ONNX graph: final predictions in pixels of the image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from mtlsearch.bundle import IMAGE_SIZE
from mtlsearch.export.decoding._boxes import BoxInputs, decode_boxes
from mtlsearch.export.decoding._nodes import RAW, Nodes
from mtlsearch.export.decoding._planes import largest_plane, resize_planes
from mtlsearch.labels import Form
from mtlsearch.prediction import TENSORS, OutputSpec, decoded_tensors, option_values

if TYPE_CHECKING:
    from numpy.typing import NDArray


def add_decoding(
    path: Path, tasks: Mapping[str, OutputSpec], *, input_size: tuple[int, int]
) -> None:
    """Replace the outputs of a graph by decoded predictions.

    The graph gets the input ``image_size`` (int64 ``[height, width]``, one for all images of a
    batch), to whose pixels boxes, masks and maps are scaled. Thresholds and selected classes are
    inputs with a default: initializers of the same name.

    Args:
        path: the ONNX file, which is replaced.
        tasks: specification of each task's tensors.
        input_size: ``(height, width)`` of the network's input in pixels.
    """
    model = ir.load(path)
    graph = model.graph
    raw = {str(value.name): value for value in graph.outputs}
    for name, value in raw.items():
        value.name = f"{RAW}{name}"
    graph.outputs.clear()
    size = ir.val(IMAGE_SIZE, ir.DataType.INT64, [2])
    graph.inputs.append(size)
    batch = graph.inputs[0].shape[0]  # type: ignore[index]
    for task, output in tasks.items():
        options = {
            name: _option(graph, f"{task}.{name}", value)
            for name, value in option_values(output).items()
        }
        tensors = {name: raw[f"{task}.{name}"] for name in TENSORS[output.form]}
        nodes = Nodes(task)
        decoded = _decode(nodes, output, tensors, options, size, input_size)
        graph.extend(nodes.nodes)
        for name, (dtype, axes) in decoded_tensors(output).items():
            value = decoded[name]
            value.name = f"{task}.{name}"
            value.type = ir.TensorType(ir.DataType.from_numpy(dtype))
            # Height and width are those of the image; other lengths differ from task to task.
            names = [f"{task}.{axis}" if axis in ("boxes", "channels") else axis for axis in axes]
            value.shape = ir.Shape([batch, *names])
            graph.outputs.append(value)
    ir.save(model, path)


def _option(graph: ir.Graph, name: str, value: NDArray[Any]) -> ir.Value:
    """Add an input whose default is an initializer, and return it."""
    tensor = ir.tensor(value, name=name)
    added = ir.Value(
        name=name,
        shape=ir.Shape(value.shape),
        type=ir.TensorType(tensor.dtype),
        const_value=tensor,
    )
    graph.inputs.append(added)
    graph.register_initializer(added)
    return added


def _decode(
    nodes: Nodes,
    output: OutputSpec,
    tensors: Mapping[str, ir.Value],
    options: Mapping[str, ir.Value],
    size: ir.Value,
    input_size: tuple[int, int],
) -> dict[str, ir.Value]:
    """Append the nodes of one task and return its decoded tensors."""
    if output.form == Form.BOXES:
        scale, edge = _scale(nodes, size, input_size)
        boxes = BoxInputs(tensors["boxes"], tensors["scores"], **options, scale=scale, edge=edge)
        return decode_boxes(nodes, boxes, output)
    if output.form == Form.MASK:
        classes = len(output.classes)
        return {"labels": largest_plane(nodes, tensors["scores"], size, classes)}
    if output.form == Form.MAP:
        return {"values": resize_planes(nodes, tensors["values"], size)}
    scores = tensors["value" if output.form == Form.NUMBER else "scores"]
    same = nodes.add("Identity", scores)
    if output.form == Form.NUMBER:
        return {"value": same}
    if output.form == Form.CATEGORY:
        return {"scores": same, "label": nodes.add("ArgMax", scores, axis=1, keepdims=0)}
    is_selected = nodes.add("GreaterOrEqual", scores, options["score_threshold"])
    return {"scores": same, "selected": is_selected}


def _scale(nodes: Nodes, size: ir.Value, input_size: tuple[int, int]) -> tuple[ir.Value, ir.Value]:
    """Return the factors from the network's input to the image, and the edges, each ``[4]``."""
    order = nodes.integers(1, 0, 1, 0)  # width, height, width, height
    sides = nodes.add("Cast", nodes.add("Gather", size, order, axis=0), to=ir.DataType.FLOAT)
    height, width = input_size
    return nodes.add("Div", sides, nodes.constant([width, height] * 2, np.float32)), sides
