"""Predictions, and true labels, drawn on images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from mtlsearch.prediction._canvas import Entry, enlarged, font, text_size, with_caption
from mtlsearch.prediction._json import class_name
from mtlsearch.prediction._palette import VOID, Colour, class_colour, ink_on, perceptual
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

OPACITY = 0.5
"""How strongly a mask covers the image."""


def draw(output: OutputSpec, image: Image.Image, prediction: Prediction) -> Image.Image:
    """A picture of ``image`` with the prediction on it; ``image`` stays as it is.

    Small images are enlarged first (shorter side at least 256 pixels) and a strip of text
    is put below, so the picture is not of the image's size. Boxes carry their class and
    score; masks cover the image half, with a legend of the classes in them; maps take the
    image's place, in viridis (three channels as red, green and blue), with their scale
    below. A class named ``background`` is not tinted. Scores that are absent, or all
    exactly 1 as in a true label, are not written.

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
    told = prediction.scores.size and bool((prediction.scores != 1).any())
    size = text_size(canvas)
    pen = ImageDraw.Draw(canvas)
    # The best box is drawn last, on top of the others.
    for at in reversed(range(len(prediction.xyxy))):
        index = int(prediction.classes[at])
        text = class_name(output, index) + (f" {prediction.scores[at]:.2f}" if told else "")
        box = [float(side) * factor for side in prediction.xyxy[at]]
        _draw_box(pen, canvas.size, box, text, class_colour(index), size)
    present = sorted({int(index) for index in prediction.classes})
    counts = np.bincount(prediction.classes, minlength=1)
    entries: list[Entry] = [
        (class_colour(at), f"{counts[at]} x {class_name(output, at)}") for at in present
    ]
    return with_caption(canvas, entries or [(None, "no boxes")])


def _draw_box(
    pen: ImageDraw.ImageDraw,
    canvas: tuple[int, int],
    box: list[float],
    text: str,
    colour: Colour,
    size: int,
) -> None:
    """A frame, and its text on a plate above it, or inside where there is no room."""
    left, top, right, bottom = box
    right, bottom = max(left + 1, right - 1), max(top + 1, bottom - 1)
    width = max(2, size // 6)
    # A dark rim keeps a bright frame visible on a bright image.
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=(0, 0, 0), width=1)
    pen.rectangle((left, top, right, bottom), outline=colour, width=width)
    letters = font(size)
    wide, high = letters.getlength(text) + size // 2, round(size * 1.25)
    x = max(0.0, min(left, canvas[0] - wide))
    y = top - high if top >= high else top
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + size // 4, y + high / 2), text, ink_on(colour), letters, anchor="lm")


def _draw_mask(output: OutputSpec, canvas: Image.Image, prediction: MaskPrediction) -> Image.Image:
    indices = np.asarray(prediction.indices)
    present = [int(at) for at in np.unique(indices)]
    tinted = [at for at in present if class_name(output, at) != "background"]
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
