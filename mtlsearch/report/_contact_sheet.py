"""Samples with their labels, on one picture."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mtlsearch.data import DataModule, label_prediction
from mtlsearch.labels import LabelSpec, Sample
from mtlsearch.prediction import draw

CELL = (240, 250)
"""Width and height that a picture may take, in pixels."""

GAP = 8
HEADER = 26
PAPER = (255, 255, 255)
INK = (32, 36, 42)
FAINT = (236, 238, 241)
CAPTION = 11


def contact_sheet(data: DataModule, split: str, count: int, seed: int) -> Image.Image:
    """A row a sample, drawn by the seed: the image, and each label in a column of its own.

    Class names stand below a label, the file below its row; a label that the image lacks
    is an empty cell that says so.

    Args:
        data: the data of a run.
        split: which split.
        count: how many samples, at most.
        seed: which ones.

    Raises:
        DataError: one of the samples cannot be read.
    """
    size = data.size(split)
    chosen = np.random.default_rng(seed).permutation(size)[: min(count, size)]
    indices = sorted(chosen.tolist())
    names = list(data.labels)
    line = CELL[1] + CAPTION + 3 * GAP
    width = GAP + (len(names) + 1) * (CELL[0] + GAP)
    sheet = Image.new("RGB", (width, HEADER + max(1, len(indices)) * line), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(["image", *names]):
        pen.text((_left(column), GAP), title, INK, ImageFont.load_default(13))
    for row, (index, sample) in enumerate(zip(indices, data.samples(split, indices), strict=True)):
        top = HEADER + row * line
        _paste(sheet, _fitted(sample.image, Image.Resampling.BICUBIC), 0, top)
        for column, name in enumerate(names, start=1):
            _paste(sheet, _label_picture(sample, name, data.labels[name]), column, top)
        caption = _shortened(data.locate(split, index), width - 2 * GAP)
        place = (GAP, top + CELL[1] + GAP)
        pen.text(place, caption, INK, ImageFont.load_default(CAPTION))
    return sheet


def _left(column: int) -> int:
    return GAP + column * (CELL[0] + GAP)


def _paste(sheet: Image.Image, picture: Image.Image, column: int, top: int) -> None:
    sheet.paste(picture, (_left(column), top))


def _label_picture(sample: Sample, name: str, spec: LabelSpec) -> Image.Image:
    if name not in sample.labels:
        empty = Image.new("RGB", CELL, FAINT)
        place, font = (CELL[0] // 2, CELL[1] // 2), ImageFont.load_default(13)
        ImageDraw.Draw(empty).text(place, "no label", INK, font, anchor="mm")
        return empty
    output, truth = label_prediction(spec, sample.labels[name])
    return _fitted(draw(output, sample.image, truth), Image.Resampling.LANCZOS)


def _fitted(picture: Image.Image, how: Image.Resampling) -> Image.Image:
    """The picture, as large as a cell holds."""
    factor = min(CELL[0] / picture.width, CELL[1] / picture.height)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, how)


def _shortened(text: str, width: int) -> str:
    """The text, its beginning left out where it would be wider than ``width`` pixels."""
    font = ImageFont.load_default(CAPTION)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("... " + text) > width:
        text = text[1:]
    return "... " + text
