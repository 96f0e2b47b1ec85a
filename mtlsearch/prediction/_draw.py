"""Drawing of predictions and true labels on images."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mtlsearch.prediction._boxes import Frame, draw_frames
from mtlsearch.prediction._layout import Entry, canvas_of, text_size, with_caption
from mtlsearch.prediction._palette import VOID, Color, class_color, viridis
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

    from mtlsearch.images import AnyImage
    from mtlsearch.prediction._spec import OutputSpec

DRAW_THRESHOLD = 0.3
"""Boxes with a lower score are counted, not drawn; the option ``draw_threshold`` overrides it."""

OPACITY = 0.5
"""Opacity of a mask over the image, 0 to 1."""


def draw(output: OutputSpec, image: AnyImage, prediction: Prediction) -> Image.Image:
    """Return a copy of an image with a prediction drawn on it and a caption below.

    Images are enlarged by a whole factor until the shorter side has 256 pixels. Strips
    that are more than eight times as long as wide are compressed along them, and images of more
    than 24 million pixels are reduced.

    ==========  ==================================================================
    category    class and score in the caption
    categories  classes and scores in the caption
    boxes       outlines with class and score, without the class if the task has a single
                one, which the caption names; boxes with a score below
                ``draw_threshold`` (0.3) are only counted in the caption
    mask        half-transparent colors and a legend; ``background`` is not tinted
    number      the number and its unit in the caption
    map         viridis colors in place of the image, with a scale; three channels are
                red, green and blue
    ==========  ==================================================================

    Scores are omitted if they are absent or all exactly 1, as in a true label.

    Args:
        output: classes, unit and options.
        image: the original image in 8-bit bands; it is not changed.
        prediction: the prediction, or a true label as a prediction.

    Returns:
        The picture in mode RGB.
    """
    canvas, factors = canvas_of(image)
    if isinstance(prediction, BoxesPrediction):
        return _draw_boxes(output, canvas, prediction, factors)
    if isinstance(prediction, MaskPrediction):
        return _draw_mask(output, canvas, prediction)
    if isinstance(prediction, MapPrediction):
        return _draw_map(output, canvas, prediction)
    if isinstance(prediction, NumberPrediction):
        return with_caption(canvas, [(None, _number(output, prediction))])
    return with_caption(canvas, _category_entries(output, prediction))


def _number(output: OutputSpec, prediction: NumberPrediction) -> str:
    return f"{prediction.value:.4g}{f' {output.unit}' if output.unit else ''}"


def _category_entries(
    output: OutputSpec, prediction: CategoryPrediction | CategoriesPrediction
) -> list[Entry]:
    if isinstance(prediction, CategoryPrediction):
        indices: tuple[int, ...] = (prediction.index,)
    else:
        indices = prediction.indices
    has_scores = prediction.scores.size and bool((prediction.scores[list(indices)] != 1).any())
    entries: list[Entry] = []
    for index in indices:
        score = f" {prediction.scores[index]:.2f}" if has_scores else ""
        entries.append((class_color(index), output.class_name(index) + score))
    return entries or [(None, "none of the classes")]


def _draw_boxes(
    output: OutputSpec,
    canvas: Image.Image,
    prediction: BoxesPrediction,
    factors: tuple[float, float],
) -> Image.Image:
    threshold = output.options.get("draw_threshold", DRAW_THRESHOLD)
    scores = prediction.scores
    is_label = scores.size == 0 or bool((scores == 1).all())
    shown = [row for row in range(len(prediction.xyxy)) if is_label or scores[row] >= threshold]
    frames = []
    for row in shown:
        index = int(prediction.classes[row])
        name = output.class_name(index) if len(output.classes) > 1 else ""  # the caption names it
        text = f"{name}{'' if is_label else f' {scores[row]:.2f}'}".strip()
        sides = zip(prediction.xyxy[row], factors * 2, strict=True)
        left, top, right, bottom = (float(side) * factor for side, factor in sides)
        frames.append(Frame((left, top, right, bottom), text, class_color(index)))
    draw_frames(canvas, frames)
    counts = Counter(int(prediction.classes[row]) for row in shown)
    entries: list[Entry] = [
        (class_color(index), f"{count} x {output.class_name(index)}")
        for index, count in counts.most_common()
    ]
    num_hidden = len(prediction.xyxy) - len(shown)
    if num_hidden or not entries:
        entries.append((None, f"{num_hidden} below {threshold:.2g}" if num_hidden else "no boxes"))
    return with_caption(canvas, entries)


def _draw_mask(output: OutputSpec, canvas: Image.Image, prediction: MaskPrediction) -> Image.Image:
    indices = np.asarray(prediction.indices)
    present, areas = np.unique(indices, return_counts=True)
    largest_first = present[np.argsort(-areas, kind="stable")].tolist()
    tinted = [index for index in largest_first if output.class_name(index) != "background"]
    plane = Image.fromarray(indices.astype(np.int32))
    classes = np.asarray(plane.resize(canvas.size, Image.Resampling.NEAREST))
    paint = np.zeros((*classes.shape, 3), np.uint8)
    alpha = np.zeros(classes.shape, np.float32)
    for index in tinted:
        is_inside = classes == index
        paint[is_inside] = _mask_color(output, index)
        alpha[is_inside] = OPACITY
    alpha[_outlines(classes, max(1, text_size(canvas) // 10)) & (alpha > 0)] = 1.0
    mixed = np.asarray(canvas, np.float32) * (1 - alpha[..., None]) + paint * alpha[..., None]
    picture = Image.fromarray(mixed.round().astype(np.uint8))
    legend: list[Entry] = [
        (_mask_color(output, index), output.class_name(index)) for index in tinted
    ]
    return with_caption(picture, legend or [(None, "background only")])


def _mask_color(output: OutputSpec, index: int) -> Color:
    return class_color(index) if 0 <= index < len(output.classes) else VOID


def _outlines(indices: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Return which pixels are within ``width`` of a pixel of another class, ``[H, W]``."""
    edge = np.zeros(indices.shape, np.bool_)
    for step in range(1, width + 1):
        across = indices[:, step:] != indices[:, :-step]
        down = indices[step:] != indices[:-step]
        edge[:, step:] |= across
        edge[:, :-step] |= across
        edge[step:] |= down
        edge[:-step] |= down
    return edge


def _draw_map(output: OutputSpec, canvas: Image.Image, prediction: MapPrediction) -> Image.Image:
    values = np.asarray(prediction.values, np.float64)
    is_valid = np.isfinite(values).all(axis=0)
    valid = values[:, is_valid]
    low, high = (valid.min(), valid.max()) if valid.size else (0.0, 0.0)
    scaled = np.where(is_valid, (values - low) / (high - low if high > low else 1.0), 0.0)
    if len(scaled) == 3:
        pixels = (scaled.transpose(1, 2, 0) * 255).round().astype(np.uint8)
    else:
        pixels = viridis(scaled.mean(axis=0))
    pixels[~is_valid] = VOID
    picture = Image.fromarray(pixels).resize(canvas.size, Image.Resampling.NEAREST)
    unit = f" {output.unit}" if output.unit else ""
    if len(scaled) == 3:
        return with_caption(picture, [(None, f"{low:.3g} to {high:.3g}{unit}")])
    return with_caption(_with_scale(picture), [(None, f"{low:.3g} to {high:.3g}{unit}")])


def _with_scale(picture: Image.Image) -> Image.Image:
    """Return the picture with a color scale below it, the smallest number on the left."""
    size = text_size(picture)
    canvas = Image.new("RGB", (picture.width, picture.height + size), (255, 255, 255))
    canvas.paste(picture, (0, 0))
    ramp = viridis(np.linspace(0.0, 1.0, picture.width))[None].repeat(round(size * 0.6), axis=0)
    canvas.paste(Image.fromarray(ramp), (0, picture.height + round(size * 0.4)))
    return canvas
