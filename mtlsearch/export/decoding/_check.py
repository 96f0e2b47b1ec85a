"""Comparison of the decoding in a graph with the decoding in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from mtlsearch.bundle import GRAPH_WEIGHTS, IMAGE_SIZE, open_graph
from mtlsearch.errors import ExportError
from mtlsearch.export.decoding._nodes import RAW
from mtlsearch.models.programs import INPUT
from mtlsearch.prediction import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    NumberPrediction,
    OutputSpec,
    Prediction,
    decode,
    decoded_tensors,
    read_decoded,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-4
"""Largest difference of numbers relative to the largest magnitude."""
MASK_TOLERANCE = 1e-3
"""Largest fraction of pixels of another class: rounding decides between equal scores."""


def check_decoding(
    path: Path,
    tasks: Mapping[str, OutputSpec],
    images: NDArray[np.float32],
    *,
    input_size: tuple[int, int],
) -> dict[str, float]:
    """Compare the predictions of a graph with those that numpy decodes from its raw tensors.

    Args:
        path: a graph of :func:`add_decoding`.
        tasks: specification of each task's tensors.
        images: prepared images ``[N, C, H, W]``.
        input_size: ``(height, width)`` of the network's input in pixels.

    Returns:
        The largest difference by task: of numbers relative to the largest magnitude, of masks the
        fraction of pixels.

    Raises:
        ExportError: a difference is larger than rounding explains.
    """
    probe = path.with_name("probe.onnx")
    _save_with_raw_outputs(path, probe)
    weights = path.with_name(GRAPH_WEIGHTS)
    session = open_graph(probe, weights=weights if weights.exists() else None)
    probe.unlink()
    names = [output.name for output in session.get_outputs()]
    gaps = dict.fromkeys(tasks, 0.0)
    height, width = input_size
    # The size of the input, a larger and narrower one, and a lower one.
    for size in ((height, width), (height * 2 + 1, width * 3 // 4 + 1), (height // 2 + 1, width)):
        feeds = {INPUT: images, IMAGE_SIZE: np.array(size, np.int64)}
        arrays = dict(zip(names, session.run(names, feeds), strict=True))
        for row in range(len(images)):
            of_row = {name: array[row] for name, array in arrays.items()}
            for task, output in tasks.items():
                gap = _difference(of_row, task, output, input_size, size)
                gaps[task] = max(gaps[task], gap)
    worst = max(gaps, key=lambda task: gaps[task])
    if gaps[worst] > TOLERANCE:
        raise ExportError(
            f"the decoding in the graph differs from that in numpy: {worst} by {gaps[worst]:.2g}",
            allowed=[f"up to {TOLERANCE:g}"],
            next_step="export without --decode, and report the task as a bug",
        )
    return gaps


def _save_with_raw_outputs(path: Path, probe: Path) -> None:
    """Write a graph that also returns the tensors before decoding."""
    model = ir.load(path)
    for node in model.graph:
        for value in node.outputs:
            if str(value.name).startswith(RAW):
                model.graph.outputs.append(value)
    ir.save(model, probe)


def _difference(
    arrays: Mapping[str, NDArray[Any]],
    task: str,
    output: OutputSpec,
    input_size: tuple[int, int],
    image_size: tuple[int, int],
) -> float:
    start = f"{RAW}{task}."
    raw = {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }
    decoded = {name: arrays[f"{task}.{name}"] for name in decoded_tensors(output)}
    expected = decode(output, raw, input_size=input_size, image_size=image_size)
    return prediction_difference(read_decoded(output, decoded), expected)


def prediction_difference(actual: Prediction, expected: Prediction) -> float:
    """Return how much a prediction differs from another one of its form.

    Args:
        actual: the prediction.
        expected: the other prediction.

    Returns:
        The largest difference of numbers, relative to the largest magnitude; of a mask a tenth of
        the fraction of other pixels; infinity if boxes or classes differ.
    """
    if isinstance(expected, MaskPrediction) and isinstance(actual, MaskPrediction):
        share = float((actual.indices != expected.indices).mean())
        return share * TOLERANCE / MASK_TOLERANCE
    if isinstance(expected, BoxesPrediction) and isinstance(actual, BoxesPrediction):
        if not np.array_equal(actual.classes, expected.classes):
            return float("inf")
        return max(_relative(actual.xyxy, expected.xyxy), _relative(actual.scores, expected.scores))
    if isinstance(expected, CategoryPrediction) and isinstance(actual, CategoryPrediction):
        return 0.0 if actual.index == expected.index else float("inf")
    if isinstance(expected, CategoriesPrediction) and isinstance(actual, CategoriesPrediction):
        return 0.0 if actual.indices == expected.indices else float("inf")
    if isinstance(expected, NumberPrediction) and isinstance(actual, NumberPrediction):
        return _relative(np.array([actual.value]), np.array([expected.value]))
    if isinstance(expected, MapPrediction) and isinstance(actual, MapPrediction):
        return _relative(actual.values, expected.values)
    return float("inf")


def _relative(actual: NDArray[Any], expected: NDArray[Any]) -> float:
    if actual.shape != expected.shape:
        return float("inf")
    scale = max(float(np.abs(expected).max(initial=0)), 1e-6)
    return float(np.abs(actual - expected).max(initial=0)) / scale
