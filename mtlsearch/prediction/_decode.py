"""From the arrays that a task exports to a prediction for the original image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mtlsearch.errors import PluginError
from mtlsearch.labels import Form
from mtlsearch.prediction._nms import suppress
from mtlsearch.prediction._resize import largest, resize_plane
from mtlsearch.prediction._spec import OutputSpec
from mtlsearch.prediction._values import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    Prediction,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[np.float32]"]
Size = tuple[int, int]

TENSORS: dict[Form, tuple[str, ...]] = {
    Form.CATEGORY: ("scores",),
    Form.CATEGORIES: ("scores",),
    Form.BOXES: ("boxes", "scores"),
    Form.MASK: ("scores",),
    Form.MAP: ("values",),
}
"""The tensors that a prediction of each form is decoded from."""


def decode(output: OutputSpec, arrays: Arrays, *, input_size: Size, image_size: Size) -> Prediction:
    """One image's prediction from the arrays a task exports.

    Boxes pass a score threshold (``score_threshold``, 0.05), the best ``candidates``
    (1000) of them class-wise NMS (``iou_threshold``, 0.5), and the best
    ``max_detections`` (100) are scaled to the image and clipped to it; those that
    then have no area are dropped. A box may be found under several classes. Masks are the
    largest of the bilinearly resized scores; maps are resized bilinearly. Categories are
    those of at least ``score_threshold`` (0.5).

    Args:
        output: how the arrays are to be read; ``options`` override the numbers above.
        arrays: the tensors that :class:`OutputSpec` lists, without the batch dimension.
        input_size: ``(height, width)`` of the network's input.
        image_size: ``(height, width)`` of the image it was resized from.

    Raises:
        PluginError: an array that the form needs is not there.
    """
    needed = TENSORS[output.form]
    if missing := [name for name in needed if name not in arrays]:
        raise PluginError(
            f"a prediction of form {output.form.value!r} is decoded from "
            f"{', '.join(needed)}, but {', '.join(missing)} is missing",
            where=f"the arrays are {', '.join(arrays) or 'none'}",
            next_step="the task's `predict` must return the tensors that OutputSpec lists",
        )
    return _DECODERS[output.form](output, arrays, input_size, image_size)


def _category(output: OutputSpec, arrays: Arrays, _: Size, __: Size) -> Prediction:
    scores = np.asarray(arrays["scores"], np.float32)
    return CategoryPrediction(int(scores.argmax()), scores)


def _categories(output: OutputSpec, arrays: Arrays, _: Size, __: Size) -> Prediction:
    scores = np.asarray(arrays["scores"], np.float32)
    order = np.argsort(-scores, kind="stable")
    threshold = output.options.get("score_threshold", 0.5)
    return CategoriesPrediction(tuple(int(at) for at in order if scores[at] >= threshold), scores)


def _boxes(output: OutputSpec, arrays: Arrays, input_size: Size, image_size: Size) -> Prediction:
    options = output.options
    all_scores = np.asarray(arrays["scores"], np.float32)
    rows, classes = np.nonzero(all_scores >= options.get("score_threshold", 0.05))
    scores = all_scores[rows, classes]
    order = np.argsort(-scores, kind="stable")[: int(options.get("candidates", 1000))]
    boxes = np.asarray(arrays["boxes"], np.float32)[rows[order]]
    kept = order[suppress(boxes, classes[order], options.get("iou_threshold", 0.5))]
    kept = kept[: int(options.get("max_detections", 100))]
    xyxy = _to_image(np.asarray(arrays["boxes"], np.float32)[rows[kept]], input_size, image_size)
    solid = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    return BoxesPrediction(xyxy[solid], classes[kept][solid].astype(np.int64), scores[kept][solid])


def _to_image(xyxy: NDArray[np.float32], input_size: Size, image_size: Size) -> NDArray[np.float32]:
    """Boxes in pixels of the original image, clipped to it."""
    scale = np.array([image_size[1] / input_size[1], image_size[0] / input_size[0]] * 2, np.float32)
    edge = np.array([image_size[1], image_size[0]] * 2, np.float32)
    scaled: NDArray[np.float32] = np.clip(xyxy * scale, 0, edge)
    return scaled


def _mask(output: OutputSpec, arrays: Arrays, _: Size, image_size: Size) -> Prediction:
    return MaskPrediction(largest(np.asarray(arrays["scores"], np.float32), image_size))


def _map(output: OutputSpec, arrays: Arrays, _: Size, image_size: Size) -> Prediction:
    planes = [resize_plane(plane, image_size) for plane in np.asarray(arrays["values"], np.float32)]
    return MapPrediction(np.stack(planes))


_DECODERS: dict[Form, Callable[[OutputSpec, Arrays, Size, Size], Prediction]] = {
    Form.CATEGORY: _category,
    Form.CATEGORIES: _categories,
    Form.BOXES: _boxes,
    Form.MASK: _mask,
    Form.MAP: _map,
}
