"""Agreement of a manifest with the graph that it describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtlsearch.bundle._manifest import MANIFEST, Manifest
from mtlsearch.errors import ExportError
from mtlsearch.labels import Form
from mtlsearch.prediction import TENSORS, OutputSpec

if TYPE_CHECKING:
    import onnxruntime

FLOAT = "tensor(float)"

NEXT_STEP = "export the bundle again, because its files do not match"

Shape = Sequence[int | str | None]
"""Lengths of the axes; a text or None is a length that differs from run to run."""


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
        f"{task}.{tensor}": (output, tensor)
        for task, output in manifest.tasks.items()
        for tensor in TENSORS[output.form]
    }
    if missing := sorted(needed.keys() - outputs.keys()):
        raise ExportError(
            f"the graph lacks the outputs {', '.join(missing)}",
            where=where,
            allowed=sorted(outputs),
            next_step=NEXT_STEP,
        )
    for name, (spec, tensor) in needed.items():
        if outputs[name].type != FLOAT:
            raise ExportError(
                f"the output {name} of the graph must be float32, got {outputs[name].type}",
                where=where,
                next_step=NEXT_STEP,
            )
        require_shape(name, spec, tensor, outputs[name].shape, where)


def _require_input(session: onnxruntime.InferenceSession, manifest: Manifest, where: str) -> None:
    preprocessing = manifest.preprocessing
    expected = ("batch", preprocessing.pixel_format.num_channels, *preprocessing.size)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != FLOAT or not _fits(inputs[0].shape, expected):
        received = ", ".join(f"{item.name} {_text(item.shape)} {item.type}" for item in inputs)
        raise ExportError(
            f"the graph's input must be {_text(expected)}, as `preprocessing` in {MANIFEST} "
            f"describes it, got {received or 'none'}",
            where=where,
            next_step=NEXT_STEP,
        )


def require_shape(name: str, spec: OutputSpec, tensor: str, shape: Shape, where: str) -> None:
    """Check that a tensor of the graph has the shape that its form prescribes.

    Args:
        name: name of the tensor in the graph, for messages.
        spec: form and classes of the task.
        tensor: name of the tensor in the form.
        shape: lengths of its axes, with the batch.
        where: path of the graph, for messages.

    Raises:
        ExportError: the shape differs.
    """
    count = len(spec.classes)
    axes_by_tensor: Mapping[tuple[Form, str], Shape] = {
        (Form.CATEGORY, "scores"): ("batch", count),
        (Form.CATEGORIES, "scores"): ("batch", count),
        (Form.BOXES, "boxes"): ("batch", "boxes", 4),
        (Form.BOXES, "scores"): ("batch", "boxes", count),
        (Form.MASK, "scores"): ("batch", count, "height", "width"),
        (Form.NUMBER, "value"): ("batch",),
        (Form.MAP, "values"): ("batch", "channels", "height", "width"),
    }
    expected = axes_by_tensor[spec.form, tensor]
    if not _fits(shape, expected):
        raise ExportError(
            f"the output {name} of the graph must be {_text(expected)}, as `tasks` in {MANIFEST} "
            f"describes it, got {_text(shape)}",
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
