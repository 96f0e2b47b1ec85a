"""Samples with their labels, on one picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes, RawLabel, Sample
from mtlsearch.prediction import draw

if TYPE_CHECKING:
    from mtlsearch.data import DataModule

CELL = 320
"""Width of a column in pixels."""

SHORTER_SIDE = 256
"""Larger images are made as small as this first, so that text on them can be read later."""

GAP = 10
PAPER = (255, 255, 255)
INK = (32, 36, 42)
FAINT = (236, 238, 241)
SMALL, LARGE = 12, 15


def contact_sheet(
    data: DataModule, split: str, count: int, seed: int, *, without: Collection[int] = ()
) -> Image.Image:
    """A row a sample, drawn by the seed: the image, and each label in a column of its own.

    Class names stand below a label, the file below its row; a label that the image lacks
    is an empty cell that says so.

    Args:
        data: the data of a run.
        split: which split.
        count: how many samples, at most.
        seed: which ones.
        without: samples that are not to be drawn, such as those a check found bad.

    Raises:
        DataError: one of the samples cannot be read, or there is none to draw.
    """
    drawn = np.random.default_rng(seed).permutation(data.size(split)).tolist()
    indices = sorted([index for index in drawn if index not in without][:count])
    if not indices:
        raise DataError(f"there is no sound image in the split {split!r} to draw")
    rows = [_titles(["image", *data.labels])]
    for index, sample in zip(indices, data.samples(split, indices), strict=True):
        rows.append(_row(data, _shrunk(sample), data.locate(split, index)))
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
    # The data floor imports torch, seconds that the tables of this floor do without.
    from mtlsearch.data import label_prediction

    cells = [_fitted(sample.image)]
    for name, spec in data.labels.items():
        if name in sample.labels:
            output, truth = label_prediction(spec, sample.labels[name])
            cells.append(_fitted(draw(output, sample.image, truth)))
        else:
            cells.append(_nothing(cells[0].height))
    tallest = max(cell.height for cell in cells)
    row = Image.new("RGB", (_left(len(cells)), tallest + SMALL + 3 * GAP), PAPER)
    for column, cell in enumerate(cells):
        row.paste(cell, (_left(column), 0))
    text = _shortened(caption, row.width - 2 * GAP)
    place = (GAP, tallest + GAP // 2)
    ImageDraw.Draw(row).text(place, text, INK, ImageFont.load_default(SMALL))
    return row


def _left(column: int) -> int:
    return GAP + column * (CELL + GAP)


def _nothing(height: int) -> Image.Image:
    empty = Image.new("RGB", (CELL, height), FAINT)
    place, font = (CELL // 2, height // 2), ImageFont.load_default(LARGE)
    ImageDraw.Draw(empty).text(place, "no label", INK, font, anchor="mm")
    return empty


def _fitted(picture: Image.Image) -> Image.Image:
    """The picture, as wide as a column."""
    height = max(1, round(picture.height * CELL / picture.width))
    return picture.resize((CELL, height), Image.Resampling.LANCZOS)


def _shrunk(sample: Sample) -> Sample:
    """The sample with its image and labels no larger than they can be shown."""
    factor = SHORTER_SIDE / min(sample.image.size)
    if factor >= 1:
        return sample
    size = (round(sample.image.width * factor), round(sample.image.height * factor))
    image = sample.image.resize(size, Image.Resampling.BICUBIC)
    return Sample(
        image, {name: _resized(value, factor, size) for name, value in sample.labels.items()}
    )


def _resized(value: RawLabel, factor: float, size: tuple[int, int]) -> RawLabel:
    if isinstance(value, Boxes):
        return Boxes(value.xyxy * np.float32(factor), value.classes, value.crowd)
    if not isinstance(value, np.ndarray):
        return value
    if value.ndim == 2:
        return _nearest(value.astype(np.int32), size)
    return np.stack([_nearest(plane, size) for plane in value])


def _nearest(plane: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.NEAREST))


def _shortened(text: str, width: int) -> str:
    """The text, its beginning left out where it would be wider than ``width`` pixels."""
    font = ImageFont.load_default(SMALL)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("... " + text) > width:
        text = text[1:]
    return "... " + text
