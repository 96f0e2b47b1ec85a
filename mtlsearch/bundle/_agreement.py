"""Agreement of a manifest with the graph that it describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mtlsearch.bundle._manifest import MANIFEST, Manifest
from mtlsearch.errors import ExportError
from mtlsearch.labels import Form
from mtlsearch.prediction import TENSORS, OutputSpec, decoded_tensors, option_values

if TYPE_CHECKING:
    import onnxruntime

IMAGE_SIZE = "image_size"
"""Input of a graph with decoding: height and width of the image, int64 ``[2]``."""

_TYPES = {
    "float32": "tensor(float)",
    "int64": "tensor(int64)",
    "int32": "tensor(int32)",
    "uint8": "tensor(uint8)",
    "bool": "tensor(bool)",
}
"""Types of ONNX Runtime by name of the numpy type."""

NEXT_STEP = "export the bundle again, because its files do not match"

Shape = Sequence[int | str | None]
"""Lengths of the axes; a text or None is a length that differs from run to run."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Type and shape that a tensor of a graph must have.

    Attributes:
        dtype: type of its elements.
        axes: lengths of its axes.
    """

    dtype: np.dtype[Any]
    axes: Shape


def require_agreement(
    session: onnxruntime.InferenceSession, manifest: Manifest, where: str
) -> None:
    """Check that a graph has the input and the outputs that its manifest describes.

    An input of another size would be built, however large, before the graph refuses it.

    Args:
        session: the loaded graph.
        manifest: the manifest.
        where: path of the graph, for messages.

    Raises:
        ExportError: the input has another shape, or an output is missing, has another shape or
            does not contain numbers.
    """
    try:
        _require_tensors(session, manifest, where)
    except UnicodeDecodeError as error:
        raise ExportError(
            f"a name in the graph is not in UTF-8: {error}", where=where, next_step=NEXT_STEP
        ) from error


def _require_tensors(session: onnxruntime.InferenceSession, manifest: Manifest, where: str) -> None:
    _require_input(session, manifest, where)
    outputs = {output.name: output for output in session.get_outputs()}
    needed = {
        f"{task}.{name}": expected
        for task, output in manifest.tasks.items()
        for name, expected in expected_tensors(output, decoded=manifest.decoded).items()
    }
    if missing := sorted(needed.keys() - outputs.keys()):
        raise ExportError(
            f"the graph lacks the outputs {', '.join(missing)}",
            where=where,
            allowed=sorted(outputs),
            next_step=NEXT_STEP,
        )
    for name, expected in needed.items():
        if outputs[name].type != _TYPES[expected.dtype.name]:
            raise ExportError(
                f"the output {name} of the graph must be {expected.dtype}, got "
                f"{outputs[name].type}",
                where=where,
                next_step=NEXT_STEP,
            )
        require_shape(name, expected, outputs[name].shape, where)


def _require_input(session: onnxruntime.InferenceSession, manifest: Manifest, where: str) -> None:
    preprocessing = manifest.preprocessing
    images = ("batch", preprocessing.pixel_format.num_channels, *preprocessing.size)
    expected = [Tensor(np.dtype(np.float32), images)]
    if manifest.decoded:
        expected.append(Tensor(np.dtype(np.int64), (2,)))
    inputs = session.get_inputs()
    is_known = [item.name for item in inputs[1:]] == [IMAGE_SIZE] * (len(expected) - 1)
    if (
        len(inputs) != len(expected)
        or not is_known
        or not all(
            item.type == _TYPES[tensor.dtype.name] and _fits(item.shape, tensor.axes)
            for item, tensor in zip(inputs, expected, strict=True)
        )
    ):
        received = ", ".join(f"{item.name} {_text(item.shape)} {item.type}" for item in inputs)
        wanted = " and ".join(_text(tensor.axes) for tensor in expected)
        raise ExportError(
            f"the graph's input must be {wanted}, as `preprocessing` in {MANIFEST} "
            f"describes it, got {received or 'none'}",
            where=where,
            next_step=NEXT_STEP,
        )
    if manifest.decoded:
        _require_options(session, manifest, where)


def _require_options(session: onnxruntime.InferenceSession, manifest: Manifest, where: str) -> None:
    """Check that a graph with decoding has the optional inputs of all tasks."""
    received = {item.name for item in session.get_overridable_initializers()}
    wanted = {
        f"{task}.{name}"
        for task, output in manifest.tasks.items()
        for name in option_values(output)
    }
    if missing := sorted(wanted - received):
        raise ExportError(
            f"the graph lacks the inputs {', '.join(missing)}", where=where, next_step=NEXT_STEP
        )


def expected_tensors(output: OutputSpec, *, decoded: bool) -> dict[str, Tensor]:
    """Return the tensors of a task that a graph must return.

    Args:
        output: form and classes of the task.
        decoded: whether the graph decodes.

    Returns:
        Type and shape by name.
    """
    if decoded:
        return {
            name: Tensor(dtype, ("batch", *axes))
            for name, (dtype, axes) in decoded_tensors(output).items()
        }
    count = len(output.classes)
    axes_by_tensor: Mapping[tuple[Form, str], Shape] = {
        (Form.CATEGORY, "scores"): ("batch", count),
        (Form.CATEGORIES, "scores"): ("batch", count),
        (Form.BOXES, "boxes"): ("batch", "boxes", 4),
        (Form.BOXES, "scores"): ("batch", "boxes", count),
        (Form.MASK, "scores"): ("batch", count, "height", "width"),
        (Form.NUMBER, "value"): ("batch",),
        (Form.MAP, "values"): ("batch", "channels", "height", "width"),
    }
    return {
        name: Tensor(np.dtype(np.float32), axes_by_tensor[output.form, name])
        for name in TENSORS[output.form]
    }


def require_shape(name: str, expected: Tensor, shape: Shape, where: str) -> None:
    """Check that a tensor of the graph has the shape that its form prescribes.

    Args:
        name: name of the tensor in the graph, for messages.
        expected: the tensor that the form prescribes.
        shape: lengths of its axes, with the batch.
        where: path of the graph, for messages.

    Raises:
        ExportError: the shape differs.
    """
    if not _fits(shape, expected.axes):
        raise ExportError(
            f"the output {name} of the graph must be {_text(expected.axes)}, as `tasks` in "
            f"{MANIFEST} describes it, got {_text(shape)}",
            where=where,
            next_step=NEXT_STEP,
        )


def _fits(shape: Shape, expected: Shape) -> bool:
    """Return whether all lengths agree that both state, and no axis but boxes is empty."""
    return len(shape) == len(expected) and all(
        length == wanted if isinstance(wanted, int) else length > 0 or wanted == "boxes"
        for length, wanted in zip(shape, expected, strict=True)
        if isinstance(length, int)
    )


def _text(shape: Sequence[Any]) -> str:
    return f"[{', '.join('?' if length is None else str(length) for length in shape)}]"
