"""Predictions, and true labels, drawn on images."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mtlsearch.prediction._boxes import Frame, draw_frames
from mtlsearch.prediction._json import class_name
from mtlsearch.prediction._layout import Entry, enlarged, text_size, with_caption
from mtlsearch.prediction._palette import VOID, Colour, class_colour, perceptual
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

    from mtlsearch.prediction._spec import OutputSpec

DRAWN = 0.3
"""Boxes of a lower score are counted, not drawn; ``draw_threshold`` overrides it."""

OPACITY = 0.5
"""How strongly a mask covers the image."""


def draw(output: OutputSpec, image: Image.Image, prediction: Prediction) -> Image.Image:
    """A picture of ``image`` with the prediction on it; ``image`` stays as it is.

    Small images are enlarged first (shorter side at least 256 pixels) and a strip of text
    is put below, so the picture is not of the image's size. Boxes carry their class and
    score; masks cover the image half, with a legend of the classes in them; maps take the
    image's place, in viridis (three channels as red, green and blue), with their scale
    below. A class named ``background`` is not tinted. Boxes of a score below 0.3
    (``draw_threshold``) are only counted. Scores that are absent, or all exactly 1 as in a
    true label, are not written.

    Args:
        output: what the prediction's classes and unit are.
        image: the original image, whose pixels boxes, masks and maps are in.
        prediction: the prediction, or a true label written as one.
    """
    canvas, factor = enlarged(image)
    if isinstance(prediction, BoxesPrediction):
        return _draw_boxes(output, canvas, prediction, factor)
    if isinstance(prediction, MaskPrediction):
        return _draw_mask(output, canvas, prediction)
    if isinstance(prediction, MapPrediction):
        return _draw_map(output, canvas, prediction)
    return with_caption(canvas, _category_entries(output, prediction))


def _category_entries(
    output: OutputSpec, prediction: CategoryPrediction | CategoriesPrediction
) -> list[Entry]:
    if isinstance(prediction, CategoryPrediction):
        indices: tuple[int, ...] = (prediction.index,)
    else:
        indices = prediction.indices
    told = prediction.scores.size and bool((prediction.scores[list(indices)] != 1).any())
    entries: list[Entry] = []
    for at in indices:
        score = f" {prediction.scores[at]:.2f}" if told else ""
        entries.append((class_colour(at), class_name(output, at) + score))
    return entries or [(None, "none of the classes")]


def _draw_boxes(
    output: OutputSpec, canvas: Image.Image, prediction: BoxesPrediction, factor: int
) -> Image.Image:
    least = output.options.get("draw_threshold", DRAWN)
    sure = prediction.scores.size == 0 or bool((prediction.scores == 1).all())
    shown = [at for at in range(len(prediction.xyxy)) if sure or prediction.scores[at] >= least]
    frames = []
    for at in shown:
        index = int(prediction.classes[at])
        text = class_name(output, index) + ("" if sure else f" {prediction.scores[at]:.2f}")
        left, top, right, bottom = (float(side) * factor for side in prediction.xyxy[at])
        frames.append(Frame((left, top, right, bottom), text, class_colour(index)))
    draw_frames(canvas, frames)
    counts = Counter(int(prediction.classes[at]) for at in shown)
    entries: list[Entry] = [
        (class_colour(at), f"{count} x {class_name(output, at)}")
        for at, count in counts.most_common()
    ]
    faint = len(prediction.xyxy) - len(shown)
    if faint or not entries:
        entries.append((None, f"{faint} below {least:.2g}" if faint else "no boxes"))
    return with_caption(canvas, entries)


def _draw_mask(output: OutputSpec, canvas: Image.Image, prediction: MaskPrediction) -> Image.Image:
    indices = np.asarray(prediction.indices)
    present, areas = np.unique(indices, return_counts=True)
    largest_first = present[np.argsort(-areas, kind="stable")].tolist()
    tinted = [at for at in largest_first if class_name(output, at) != "background"]
    colours = np.zeros((*indices.shape, 3), np.uint8)
    cover = np.zeros(indices.shape, np.float32)
    for at in tinted:
        colours[indices == at] = _mask_colour(output, at)
        cover[indices == at] = OPACITY
    sharp = Image.Resampling.NEAREST
    paint = np.asarray(Image.fromarray(colours).resize(canvas.size, sharp), np.float32)
    alpha = np.asarray(Image.fromarray(cover).resize(canvas.size, sharp)).copy()
    numbers = Image.fromarray(indices.astype(np.int32)).resize(canvas.size, sharp)
    alpha[_outlines(np.asarray(numbers), max(1, text_size(canvas) // 10)) & (alpha > 0)] = 1.0
    mixed = np.asarray(canvas, np.float32) * (1 - alpha[..., None]) + paint * alpha[..., None]
    picture = Image.fromarray(mixed.round().astype(np.uint8))
    legend: list[Entry] = [(_mask_colour(output, at), class_name(output, at)) for at in tinted]
    return with_caption(picture, legend or [(None, "background only")])


def _mask_colour(output: OutputSpec, index: int) -> Colour:
    return class_colour(index) if 0 <= index < len(output.classes) else VOID


def _outlines(indices: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Pixels within ``width`` of a pixel of another class."""
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
    known = np.isfinite(values).all(axis=0)
    low, high = (values[:, known].min(), values[:, known].max()) if known.any() else (0.0, 0.0)
    parts = np.where(known, (values - low) / (high - low if high > low else 1.0), 0.0)
    if len(parts) == 3:
        pixels = (parts.transpose(1, 2, 0) * 255).round().astype(np.uint8)
    else:
        pixels = perceptual(parts.mean(axis=0))
    pixels[~known] = VOID
    picture = Image.fromarray(pixels).resize(canvas.size, Image.Resampling.NEAREST)
    unit = f" {output.unit}" if output.unit else ""
    if len(parts) == 3:
        return with_caption(picture, [(None, f"{low:.3g} to {high:.3g}{unit}")])
    return with_caption(_with_scale(picture), [(None, f"{low:.3g} to {high:.3g}{unit}")])


def _with_scale(picture: Image.Image) -> Image.Image:
    """The picture with the scale's colours below it, smallest number left."""
    size = text_size(picture)
    canvas = Image.new("RGB", (picture.width, picture.height + size), (255, 255, 255))
    canvas.paste(picture, (0, 0))
    ramp = perceptual(np.linspace(0.0, 1.0, picture.width))[None].repeat(round(size * 0.6), axis=0)
    canvas.paste(Image.fromarray(ramp), (0, picture.height + round(size * 0.4)))
    return canvas
