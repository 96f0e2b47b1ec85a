"""Decoding of boxes: threshold, non-maximum suppression, box voting, pixels of the image.

The nodes compute what :func:`mtlsearch.prediction.decode` computes in numpy, for a batch. A
*candidate* is a box with one of its classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from mtlsearch.export.decoding._nodes import Nodes
from mtlsearch.prediction import (
    DEFAULT_COUNTS,
    DEFAULT_VOTE,
    MIN_SCORE,
    OutputSpec,
    at_most,
)


@dataclass(frozen=True, slots=True)
class BoxInputs:
    """Values that decoding of boxes takes.

    Attributes:
        boxes: xyxy in pixels of the network's input, float32 ``[B, N, 4]``.
        scores: float32 ``[B, N, C]``.
        score_threshold: smallest score, float32 scalar.
        iou_threshold: largest IoU of two boxes of one class, float32 scalar.
        classes: which classes are selected, bool ``[C]``.
        scale: factors from the network's input to the image, float32 ``[4]``.
        edge: largest coordinates of the image, float32 ``[4]``.
    """

    boxes: ir.Value
    scores: ir.Value
    score_threshold: ir.Value
    iou_threshold: ir.Value
    classes: ir.Value
    scale: ir.Value
    edge: ir.Value


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The best candidates of each image, the best first.

    Attributes:
        boxes: float32 ``[B, K, 4]``; 0 where the score is too low.
        classes: int64 ``[B, K]``.
        scores: float32 ``[B, K]``; 0 where the score is too low.
    """

    boxes: ir.Value
    classes: ir.Value
    scores: ir.Value


def decode_boxes(nodes: Nodes, inputs: BoxInputs, output: OutputSpec) -> dict[str, ir.Value]:
    """Append the nodes that decode boxes.

    Args:
        nodes: list of nodes that grows.
        inputs: tensors of the task, thresholds and sizes.
        output: options of the task: ``candidates``, ``max_detections`` and ``vote_threshold``.

    Returns:
        ``boxes`` [B, M, 4], ``scores`` [B, M], ``labels`` [B, M] and ``count`` [B]: how many of
        the M boxes are valid. They come first, the best score first; the others are 0.
    """
    options = {**DEFAULT_COUNTS, **output.options}
    candidates = _candidates(nodes, inputs, int(options["candidates"]))
    limit = nodes.integers(int(options["max_detections"]))
    limit = nodes.add("Min", limit, _length(nodes, candidates.scores, 1))
    is_kept = _suppress(nodes, candidates, inputs.iou_threshold, limit, len(output.classes))
    none = nodes.constant(0, np.float32)
    scores = nodes.add("Where", is_kept, candidates.scores, none)
    scores, rows = nodes.add_many(2, "TopK", scores, limit, axis=1)
    threshold = float(output.options.get("vote_threshold", DEFAULT_VOTE))
    voted = _vote(nodes, candidates, rows, threshold)
    scaled = nodes.add("Mul", voted, inputs.scale)
    inside = nodes.add("Max", nodes.add("Min", scaled, inputs.edge), none)
    labels = nodes.add("GatherElements", candidates.classes, rows, axis=1)
    is_valid = nodes.add("GreaterOrEqual", scores, inputs.score_threshold)
    is_valid = nodes.add("And", is_valid, nodes.add("Greater", scores, none))
    is_valid = nodes.add("And", is_valid, _has_area(nodes, inside))
    return _valid_first(nodes, is_valid, inside, labels, scores, limit)


def _length(nodes: Nodes, value: ir.Value, axis: int) -> ir.Value:
    """Return the length of an axis, int64 ``[1]``."""
    return nodes.add("Shape", value, start=axis, end=axis + 1)


def _candidates(nodes: Nodes, inputs: BoxInputs, count: int) -> _Candidates:
    """Return the best boxes with one class each whose score is at least the smallest."""
    none = nodes.constant(0, np.float32)
    selected = nodes.add("Where", inputs.classes, inputs.scores, none)
    # Boxes of a low score vote too, so that a prediction does not depend on the threshold.
    smallest = nodes.add("Min", inputs.score_threshold, nodes.constant(MIN_SCORE, np.float32))
    is_candidate = nodes.add("GreaterOrEqual", selected, smallest)
    is_candidate = nodes.add("And", is_candidate, nodes.add("Greater", selected, none))
    possible = nodes.add("Where", is_candidate, selected, none)
    flat = nodes.add("Flatten", possible, axis=1)
    limit = nodes.add("Min", nodes.integers(count), _length(nodes, flat, 1))
    scores, pairs = nodes.add_many(2, "TopK", flat, limit, axis=1)
    num_classes = _length(nodes, inputs.scores, 2)
    classes = nodes.add("Mod", pairs, num_classes)
    rows = nodes.add("Unsqueeze", nodes.add("Div", pairs, num_classes), nodes.integers(2))
    rows = nodes.add("Expand", rows, nodes.integers(1, 1, 4))
    boxes = nodes.add("GatherElements", inputs.boxes, rows, axis=1)
    is_scored = nodes.add("Unsqueeze", nodes.add("Greater", scores, none), nodes.integers(2))
    return _Candidates(nodes.add("Where", is_scored, boxes, none), classes, scores)


def _suppress(
    nodes: Nodes,
    candidates: _Candidates,
    iou_threshold: ir.Value,
    limit: ir.Value,
    num_classes: int,
) -> ir.Value:
    """Return which candidates non-maximum suppression keeps, bool ``[B, K]``."""
    classes = nodes.add("Unsqueeze", candidates.classes, nodes.integers(1))
    every = nodes.constant([[[index] for index in range(num_classes)]], np.int64)
    scores = nodes.add("Unsqueeze", candidates.scores, nodes.integers(1))
    none = nodes.constant(0, np.float32)
    by_class = nodes.add("Where", nodes.add("Equal", classes, every), scores, none)
    most = nodes.add("Squeeze", limit)
    kept = nodes.add("NonMaxSuppression", candidates.boxes, by_class, most, iou_threshold, none)
    # A kept candidate is (image, class, candidate); it has one class, so two numbers are enough.
    positions = nodes.add("Gather", kept, nodes.integers(0, 2), axis=1)
    shape = nodes.add("Shape", candidates.scores)
    ones = nodes.add("Expand", nodes.constant([1], np.float32), _length(nodes, positions, 0))
    zeros = nodes.add("Expand", none, shape)
    marks = nodes.add("ScatterND", zeros, positions, ones)
    return nodes.add("Greater", marks, none)


def _vote(nodes: Nodes, candidates: _Candidates, rows: ir.Value, threshold: float) -> ir.Value:
    """Return each box as the mean of the candidates that overlap it, ``[B, M, 4]``."""
    last = nodes.integers(2)
    wide = nodes.add("Expand", nodes.add("Unsqueeze", rows, last), nodes.integers(1, 1, 4))
    boxes = nodes.add("GatherElements", candidates.boxes, wide, axis=1)
    if threshold >= 1:
        return boxes
    overlaps = _iou(nodes, boxes, candidates.boxes)
    counts = nodes.add("Greater", overlaps, nodes.constant(at_most(threshold), np.float32))
    mine = nodes.add("GatherElements", candidates.classes, rows, axis=1)
    is_same = nodes.add(
        "Equal",
        nodes.add("Unsqueeze", mine, last),
        nodes.add("Unsqueeze", candidates.classes, nodes.integers(1)),
    )
    start, step = nodes.constant(0, np.int64), nodes.constant(1, np.int64)
    num_candidates = nodes.add("Squeeze", _length(nodes, candidates.scores, 1))
    numbers = nodes.add("Range", start, num_candidates, step)
    is_itself = nodes.add("Equal", nodes.add("Unsqueeze", rows, last), numbers)
    counts = nodes.add("Or", nodes.add("And", counts, is_same), is_itself)
    weights = nodes.add(
        "Where",
        counts,
        nodes.add("Unsqueeze", candidates.scores, nodes.integers(1)),
        nodes.constant(0, np.float32),
    )
    total = nodes.add("ReduceSum", weights, last, keepdims=1)
    return nodes.add("Div", nodes.add("MatMul", weights, candidates.boxes), total)


def _iou(nodes: Nodes, boxes: ir.Value, others: ir.Value) -> ir.Value:
    """Return the intersection over union of all pairs, ``[B, M, K]``."""
    left = nodes.add("Unsqueeze", boxes, nodes.integers(2))
    right = nodes.add("Unsqueeze", others, nodes.integers(1))
    low = nodes.add("Max", _part(nodes, left, 0, 2), _part(nodes, right, 0, 2))
    high = nodes.add("Min", _part(nodes, left, 2, 4), _part(nodes, right, 2, 4))
    sides = nodes.add("Max", nodes.add("Sub", high, low), nodes.constant(0, np.float32))
    both = nodes.add("ReduceProd", sides, nodes.integers(-1), keepdims=0)
    areas = nodes.add("Add", _area(nodes, left), _area(nodes, right))
    return nodes.add("Div", both, nodes.add("Sub", areas, both))


def _part(nodes: Nodes, boxes: ir.Value, start: int, end: int) -> ir.Value:
    """Return some of the four coordinates, which are the last axis."""
    return nodes.add("Slice", boxes, nodes.integers(start), nodes.integers(end), nodes.integers(-1))


def _sides(nodes: Nodes, boxes: ir.Value) -> ir.Value:
    return nodes.add("Sub", _part(nodes, boxes, 2, 4), _part(nodes, boxes, 0, 2))


def _area(nodes: Nodes, boxes: ir.Value) -> ir.Value:
    return nodes.add("ReduceProd", _sides(nodes, boxes), nodes.integers(-1), keepdims=0)


def _has_area(nodes: Nodes, boxes: ir.Value) -> ir.Value:
    shortest = nodes.add("ReduceMin", _sides(nodes, boxes), nodes.integers(-1), keepdims=0)
    return nodes.add("Greater", shortest, nodes.constant(0, np.float32))


def _valid_first(
    nodes: Nodes,
    is_valid: ir.Value,
    boxes: ir.Value,
    labels: ir.Value,
    scores: ir.Value,
    limit: ir.Value,
) -> dict[str, ir.Value]:
    """Return the valid boxes first, in their order, and zeros behind them."""
    none = nodes.constant(0, np.float32)
    best, rows = nodes.add_many(
        2, "TopK", nodes.add("Where", is_valid, scores, none), limit, axis=1
    )
    last = nodes.integers(2)
    wide = nodes.add("Expand", nodes.add("Unsqueeze", rows, last), nodes.integers(1, 1, 4))
    is_box = nodes.add("Greater", best, none)
    ordered = nodes.add("GatherElements", boxes, wide, axis=1)
    ordered_labels = nodes.add("GatherElements", labels, rows, axis=1)
    counts = nodes.add("Cast", is_box, to=ir.DataType.INT64)
    return {
        "boxes": nodes.add("Where", nodes.add("Unsqueeze", is_box, last), ordered, none),
        "scores": best,
        "labels": nodes.add("Where", is_box, ordered_labels, nodes.constant(0, np.int64)),
        "count": nodes.add("ReduceSum", counts, nodes.integers(1), keepdims=0),
    }
