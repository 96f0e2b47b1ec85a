"""Decoding of exported arrays to predictions in pixels of the original image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mtlsearch.errors import PluginError
from mtlsearch.labels import Form
from mtlsearch.prediction._nms import suppress, vote
from mtlsearch.prediction._resize import largest, resize_plane
from mtlsearch.prediction._spec import OutputSpec
from mtlsearch.prediction._values import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    NumberPrediction,
    Prediction,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[np.float32]"]
Size = tuple[int, int]

MIN_SCORE = 0.01
"""Smallest score of a box that takes part in suppression and voting."""

DEFAULT_SCORE = {Form.BOXES: 0.05, Form.CATEGORIES: 0.5}
"""Smallest score of a prediction, by form, without ``score_threshold``."""
DEFAULT_IOU = 0.5
"""IoU above which a box suppresses another one, without ``iou_threshold``."""
DEFAULT_COUNTS = {"candidates": 1000, "max_detections": 100}
"""Numbers of boxes without the options of these names."""
DEFAULT_VOTE = 1.0
"""IoU above which a box votes, without ``vote_threshold``: only a box itself."""

SELECTABLE = (Form.BOXES, Form.CATEGORIES)
"""Forms of which a prediction can lack classes."""
LEFT_OUT = -1.0
"""Score of a class that is not selected, below every threshold."""

TENSORS: dict[Form, tuple[str, ...]] = {
    Form.CATEGORY: ("scores",),
    Form.CATEGORIES: ("scores",),
    Form.BOXES: ("boxes", "scores"),
    Form.MASK: ("scores",),
    Form.NUMBER: ("value",),
    Form.MAP: ("values",),
}
"""Names of the tensors from which a prediction of each form is decoded."""


def decode(
    output: OutputSpec,
    arrays: Arrays,
    *,
    input_size: Size,
    image_size: Size,
    classes: Collection[str] = (),
) -> Prediction:
    """Return the prediction for one image from the arrays that a task exports.

    ==========  ==================================================================
    category    class with the largest score
    categories  classes with a score of at least ``score_threshold`` (0.5)
    boxes       scores of at least 0.01; of these the best ``candidates`` (1000); NMS per
                class (``iou_threshold``, 0.5); each box the mean of those that overlap it
                (``vote_threshold``, 1: only itself); the best ``max_detections`` (100) with
                a score of at least ``score_threshold`` (0.05), scaled and clipped to the
                image. One box can have several classes. Boxes without area are dropped.
    mask        class with the largest bilinearly resized score, per pixel
    number      the number
    map         bilinearly resized values
    ==========  ==================================================================

    Args:
        output: form, classes and options; ``options`` override the numbers above.
        arrays: tensors that :class:`OutputSpec` lists, without the batch dimension.
        input_size: ``(height, width)`` of the network's input in pixels.
        image_size: ``(height, width)`` of the image before resizing.
        classes: names of the classes of boxes and categories to return; empty for all.

    Returns:
        The prediction, of the class that belongs to the form.

    Raises:
        PluginError: an array that the form needs is missing.
    """
    needed = TENSORS[output.form]
    if missing := [name for name in needed if name not in arrays]:
        raise PluginError(
            f"a prediction of form {output.form.value!r} needs {', '.join(needed)}: "
            f"{', '.join(missing)} is missing",
            where=f"arrays: {', '.join(arrays) or 'none'}",
            next_step="return the tensors that OutputSpec lists from the task's `predict`",
        )
    # A task that has none of the classes is not meant: it returns all of its own.
    is_selective = output.form in SELECTABLE and not set(classes).isdisjoint(output.classes)
    if is_selective and output.form == Form.BOXES:
        is_left_out = np.array([name not in classes for name in output.classes])
        scores = np.where(is_left_out, np.float32(LEFT_OUT), arrays["scores"])
        arrays = {**arrays, "scores": scores}
    prediction = _DECODERS[output.form](output, arrays, input_size, image_size)
    if is_selective and isinstance(prediction, CategoriesPrediction):
        chosen = (index for index in prediction.indices if output.classes[index] in classes)
        return replace(prediction, indices=tuple(chosen))
    return prediction


def _category(output: OutputSpec, arrays: Arrays, _: Size, __: Size) -> Prediction:
    scores = np.asarray(arrays["scores"], np.float32)
    return CategoryPrediction(int(scores.argmax()), scores)


def _categories(output: OutputSpec, arrays: Arrays, _: Size, __: Size) -> Prediction:
    scores = np.asarray(arrays["scores"], np.float32)
    order = np.argsort(-scores, kind="stable")
    threshold = output.options.get("score_threshold", DEFAULT_SCORE[output.form])
    return CategoriesPrediction(
        tuple(int(index) for index in order if scores[index] >= threshold), scores
    )


def _boxes(output: OutputSpec, arrays: Arrays, input_size: Size, image_size: Size) -> Prediction:
    options = output.options
    threshold = options.get("score_threshold", DEFAULT_SCORE[output.form])
    all_scores = np.asarray(arrays["scores"], np.float32)
    # Boxes of a low score vote too, so that a prediction does not depend on the threshold.
    is_candidate = (all_scores >= min(threshold, MIN_SCORE)) & (all_scores > 0)
    rows, classes = np.nonzero(is_candidate)
    scores = all_scores[rows, classes]
    count_by_name = {**DEFAULT_COUNTS, **options}
    order = np.argsort(-scores, kind="stable")[: int(count_by_name["candidates"])]
    scores, classes = scores[order], classes[order].astype(np.int64)
    boxes = np.asarray(arrays["boxes"], np.float32)[rows[order]]
    keep = suppress(boxes, classes, options.get("iou_threshold", DEFAULT_IOU))
    keep[np.flatnonzero(keep)[int(count_by_name["max_detections"]) :]] = False
    keep &= scores >= threshold
    voted = vote(boxes, scores, classes, keep, options.get("vote_threshold", DEFAULT_VOTE))
    xyxy = _to_image(voted, input_size, image_size)
    has_area = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    return BoxesPrediction(xyxy[has_area], classes[keep][has_area], scores[keep][has_area])


def _to_image(xyxy: NDArray[np.float32], input_size: Size, image_size: Size) -> NDArray[np.float32]:
    """Return boxes in pixels of the original image, clipped to it."""
    scale = np.array([image_size[1] / input_size[1], image_size[0] / input_size[0]] * 2, np.float32)
    edge = np.array([image_size[1], image_size[0]] * 2, np.float32)
    scaled: NDArray[np.float32] = np.clip(xyxy * scale, 0, edge)
    return scaled


def _mask(output: OutputSpec, arrays: Arrays, _: Size, image_size: Size) -> Prediction:
    return MaskPrediction(largest(np.asarray(arrays["scores"], np.float32), image_size))


def _number(output: OutputSpec, arrays: Arrays, _: Size, __: Size) -> Prediction:
    return NumberPrediction(float(arrays["value"]))


def _map(output: OutputSpec, arrays: Arrays, _: Size, image_size: Size) -> Prediction:
    planes = [resize_plane(plane, image_size) for plane in np.asarray(arrays["values"], np.float32)]
    return MapPrediction(np.stack(planes))


_DECODERS: dict[Form, Callable[[OutputSpec, Arrays, Size, Size], Prediction]] = {
    Form.CATEGORY: _category,
    Form.CATEGORIES: _categories,
    Form.BOXES: _boxes,
    Form.MASK: _mask,
    Form.NUMBER: _number,
    Form.MAP: _map,
}
