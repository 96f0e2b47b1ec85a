"""Predictions from arrays that a graph has decoded itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mtlsearch.labels import Form
from mtlsearch.prediction._decode import DEFAULT_IOU, DEFAULT_SCORE, SELECTABLE
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

Arrays = Mapping[str, "NDArray[Any]"]
Axes = tuple[int | str, ...]
"""Lengths of the axes behind the batch; a text where they differ from call to call."""


def decoded_tensors(output: OutputSpec) -> dict[str, tuple[np.dtype[Any], Axes]]:
    """Return the tensors of a task that a graph with decoding returns.

    ==========  ==================================================================
    category    ``label`` [B] int64, ``scores`` [B, C]
    categories  ``selected`` [B, C] bool, ``scores`` [B, C]
    boxes       ``boxes`` [B, M, 4] xyxy in pixels of the image, ``scores`` [B, M],
                ``labels`` [B, M] int64; the first ``count`` [B] int64 are valid
    mask        ``labels`` [B, height, width] of the image: uint8 up to 255
                classes, else int32
    number      ``value`` [B]
    map         ``values`` [B, K, height, width] of the image
    ==========  ==================================================================

    Args:
        output: form and classes of the task.

    Returns:
        Type and axes behind the batch, by name; numbers are float32 if the table has no type.
    """
    count, number, index = len(output.classes), np.dtype(np.float32), np.dtype(np.int64)
    mask = np.dtype(np.uint8 if count < 256 else np.int32)
    tensors_by_form: dict[Form, dict[str, tuple[np.dtype[Any], Axes]]] = {
        Form.CATEGORY: {"label": (index, ()), "scores": (number, (count,))},
        Form.CATEGORIES: {"selected": (np.dtype(np.bool_), (count,)), "scores": (number, (count,))},
        Form.BOXES: {
            "boxes": (number, ("boxes", 4)),
            "count": (index, ()),
            "labels": (index, ("boxes",)),
            "scores": (number, ("boxes",)),
        },
        Form.MASK: {"labels": (mask, ("height", "width"))},
        Form.NUMBER: {"value": (number, ())},
        Form.MAP: {"values": (number, ("channels", "height", "width"))},
    }
    return tensors_by_form[output.form]


def option_values(output: OutputSpec, classes: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Return the values of the optional inputs by which a graph decodes a task.

    Args:
        output: form, classes and thresholds.
        classes: names of the selected classes of boxes. All are selected if it is empty or
            contains no class of the task.

    Returns:
        ``score_threshold``, ``iou_threshold`` and ``classes`` (bool ``[C]``) of boxes,
        ``score_threshold`` of categories; empty for other forms.
    """
    threshold = output.options.get("score_threshold", DEFAULT_SCORE.get(output.form, 0.0))
    values = {"score_threshold": np.asarray(threshold, np.float32)}
    if output.form == Form.BOXES:
        is_selective = not set(classes).isdisjoint(output.classes)
        is_selected = [not is_selective or name in classes for name in output.classes]
        iou = output.options.get("iou_threshold", DEFAULT_IOU)
        values["iou_threshold"] = np.asarray(at_most(iou), np.float32)
        values["classes"] = np.array(is_selected)
    return values if output.form in SELECTABLE else {}


def at_most(threshold: float) -> np.float32:
    """Return the largest float32 that does not exceed a threshold.

    An IoU in float32 exceeds both or neither, so that a graph compares as numpy does.

    Args:
        threshold: the threshold.

    Returns:
        The number of 32 bits.
    """
    rounded = np.float32(threshold)
    return np.nextafter(rounded, np.float32(-1)) if float(rounded) > threshold else rounded


def read_decoded(
    output: OutputSpec, arrays: Arrays, *, classes: Collection[str] = ()
) -> Prediction:
    """Return the prediction for one image from decoded arrays.

    Args:
        output: form and classes.
        arrays: the tensors of :func:`decoded_tensors`, without the batch dimension, in pixels of
            the image.
        classes: names of the classes of categories to return; empty for all. The graph has
            selected those of boxes.

    Returns:
        The prediction, of the class that belongs to the form.
    """
    prediction = _READERS[output.form](arrays)
    if isinstance(prediction, CategoriesPrediction) and not set(classes).isdisjoint(output.classes):
        chosen = [index for index in prediction.indices if output.classes[index] in classes]
        return CategoriesPrediction(tuple(chosen), prediction.scores)
    return prediction


def _category(arrays: Arrays) -> Prediction:
    return CategoryPrediction(int(arrays["label"]), arrays["scores"])


def _categories(arrays: Arrays) -> Prediction:
    scores, is_selected = arrays["scores"], arrays["selected"]
    order = np.argsort(-scores, kind="stable")
    return CategoriesPrediction(tuple(int(index) for index in order if is_selected[index]), scores)


def _boxes(arrays: Arrays) -> Prediction:
    count = int(arrays["count"])
    boxes, labels, scores = (arrays[name][:count] for name in ("boxes", "labels", "scores"))
    return BoxesPrediction(boxes, labels, scores)


_READERS: dict[Form, Callable[[Arrays], Prediction]] = {
    Form.CATEGORY: _category,
    Form.CATEGORIES: _categories,
    Form.BOXES: _boxes,
    Form.MASK: lambda arrays: MaskPrediction(arrays["labels"]),
    Form.NUMBER: lambda arrays: NumberPrediction(float(arrays["value"])),
    Form.MAP: lambda arrays: MapPrediction(arrays["values"]),
}
