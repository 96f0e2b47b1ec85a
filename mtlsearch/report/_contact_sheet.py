"""Contact sheet: samples with their labels in one picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mtlsearch.errors import DataError
from mtlsearch.images import to_rgb
from mtlsearch.labels import Boxes, RawLabel, Sample
from mtlsearch.prediction import draw

if TYPE_CHECKING:
    from mtlsearch.data import DataModule

CELL = 320
"""Width of a column in pixels."""

SHORTER_SIDE = 256
"""Images are first reduced to this size, so that text in them stays legible."""

MAX_ASPECT = 8
"""Largest ratio of the sides of a cell; a longer strip is compressed."""

CAPTION = 2
"""Additional height for the caption of a strip, in widths."""

GAP = 10
PAPER = (255, 255, 255)
INK = (32, 36, 42)
FAINT = (236, 238, 241)
SMALL, LARGE = 12, 15


def contact_sheet(
    data: DataModule, split: str, count: int, seed: int, *, without: Collection[int] = ()
) -> Image.Image:
    """Draw random samples: one row per sample, one column for the image and for each label.

    Class names are below a label and the file name is below its row. A cell without a label
    contains the text "no label".

    Args:
        data: the data of a run.
        split: name of the split.
        count: maximum number of samples.
        seed: seed of the selection.
        without: indices of samples to exclude, such as invalid ones.

    Returns:
        The picture, RGB.

    Raises:
        DataError: a sample cannot be read, or there is none to draw.
    """
    drawn = np.random.default_rng(seed).permutation(data.size(split)).tolist()
    indices = sorted([index for index in drawn if index not in without][:count])
    if not indices:
        raise DataError(f"the split {split!r} has no valid image to draw")
    rows = [_titles(["image", *data.labels])]
    for index, sample in zip(indices, data.samples(split, indices), strict=True):
        rows.append(_row(data, shrink(sample), data.locate(split, index)))
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _titles(names: Sequence[str]) -> Image.Image:
    strip = Image.new("RGB", (GAP + len(names) * (CELL + GAP), LARGE + 2 * GAP), PAPER)
    pen = ImageDraw.Draw(strip)
    for column, name in enumerate(names):
        pen.text((_left(column), GAP), name, INK, ImageFont.load_default(LARGE))
    return strip


def _row(data: DataModule, sample: Sample, caption: str) -> Image.Image:
    # mtlsearch.data imports torch, which takes seconds that the tables do not need.
    from mtlsearch.data import label_prediction

    image = to_rgb(sample.image)
    cells = [_fit_column(image)]
    for name, spec in data.labels.items():
        if name in sample.labels:
            output, truth = label_prediction(spec, sample.labels[name])
            cells.append(_fit_column(draw(output, image, truth)))
        else:
            cells.append(_empty_cell(cells[0].height))
    tallest = max(cell.height for cell in cells)
    row = Image.new("RGB", (_left(len(cells)), tallest + SMALL + 3 * GAP), PAPER)
    for column, cell in enumerate(cells):
        row.paste(cell, (_left(column), 0))
    text = _shorten(caption, row.width - 2 * GAP)
    position = (GAP, tallest + GAP // 2)
    ImageDraw.Draw(row).text(position, text, INK, ImageFont.load_default(SMALL))
    return row


def _left(column: int) -> int:
    return GAP + column * (CELL + GAP)


def _empty_cell(height: int) -> Image.Image:
    empty = Image.new("RGB", (CELL, height), FAINT)
    position, font = (CELL // 2, height // 2), ImageFont.load_default(LARGE)
    ImageDraw.Draw(empty).text(position, "no label", INK, font, anchor="mm")
    return empty


def _fit_column(picture: Image.Image) -> Image.Image:
    """Resize a picture to the width of a column."""
    height = round(picture.height * CELL / picture.width)
    height = min(max(height, CELL // MAX_ASPECT), (MAX_ASPECT + CAPTION) * CELL)
    return picture.resize((CELL, height), Image.Resampling.LANCZOS)


def shrink(sample: Sample) -> Sample:
    """Reduce a large image and its labels to the size of a cell."""
    factor = SHORTER_SIDE / min(sample.image.size)
    if factor >= 1:
        return sample
    width, height = sample.image.size
    size = (round(width * factor), round(height * factor))
    image = to_rgb(sample.image).resize(size, Image.Resampling.BICUBIC)
    return Sample(
        image, {name: _resize_label(value, factor, size) for name, value in sample.labels.items()}
    )


def _resize_label(value: RawLabel, factor: float, size: tuple[int, int]) -> RawLabel:
    if isinstance(value, Boxes):
        return Boxes(value.xyxy * np.float32(factor), value.classes, value.crowd)
    if not isinstance(value, np.ndarray):
        return value
    if value.ndim == 2:
        return _resize_nearest(value.astype(np.int32), size)
    return np.stack([_resize_nearest(plane, size) for plane in value])


def _resize_nearest(plane: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.NEAREST))


def _shorten(text: str, width: int) -> str:
    """Remove the beginning of a text that is wider than ``width`` pixels."""
    font = ImageFont.load_default(SMALL)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("... " + text) > width:
        text = text[1:]
    return "... " + text
