"""Pictures made large enough to write on, and what is written under and above them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil

from PIL import Image, ImageDraw, ImageFont

from mtlsearch.prediction._palette import Colour

SMALLEST = 256
PAPER: Colour = (255, 255, 255)
INK: Colour = (32, 36, 42)

MOST = 12
"""Texts under a picture; those that follow are counted."""

Entry = tuple[Colour | None, str]
"""A text under a picture, with the colour of its swatch where it has one."""


def enlarged(image: Image.Image) -> tuple[Image.Image, int]:
    """An RGB copy, a whole number of times larger, and that number.

    Its shorter side is at least 256 pixels, so that text on it can be read.
    """
    factor = max(1, ceil(SMALLEST / min(image.size)))
    copy = image.convert("RGB")
    if factor > 1:
        size = (image.width * factor, image.height * factor)
        return copy.resize(size, Image.Resampling.BICUBIC), factor
    return (copy if copy is not image else image.copy()), factor


def text_size(image: Image.Image) -> int:
    """Height of text in pixels that suits a picture."""
    return max(14, min(image.size) // 22)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(size)


def with_caption(image: Image.Image, entries: Sequence[Entry]) -> Image.Image:
    """The picture with a strip of texts below, wrapped to its width; the first dozen."""
    if len(entries) > MOST:
        entries = [*entries[:MOST], (None, f"and {len(entries) - MOST} more")]
    size = text_size(image)
    line, margin = round(size * 1.5), round(size * 0.5)
    placed, lines = _wrap(entries, image.width - 2 * margin, size)
    canvas = Image.new("RGB", (image.width, image.height + lines * line + margin), PAPER)
    canvas.paste(image, (0, 0))
    pen = ImageDraw.Draw(canvas)
    for (colour, text), (left, row) in zip(entries, placed, strict=True):
        x, y = margin + left, image.height + margin // 2 + row * line + line // 2
        if colour is not None:
            half = round(size * 0.4)
            pen.rounded_rectangle((x, y - half, x + 2 * half, y + half), half // 2, fill=colour)
            x += round(size * 1.2)
        pen.text((x, y), text, INK, font(size), anchor="lm")
    return canvas


def _wrap(entries: Sequence[Entry], width: int, size: int) -> tuple[list[tuple[int, int]], int]:
    """Left edge and line of every entry, and the number of lines."""
    placed: list[tuple[int, int]] = []
    left = row = 0
    for colour, text in entries:
        wide = ceil(font(size).getlength(text)) + (round(size * 1.2) if colour else 0)
        if left and left + wide > width:
            left, row = 0, row + 1
        placed.append((left, row))
        left += wide + size
    return placed, row + 1


def side_by_side(
    panels: Sequence[tuple[str, Image.Image]], *, columns: int = 4, widest: int = 640
) -> Image.Image:
    """Pictures in a grid, each under its title, all of one width.

    Args:
        panels: title and picture of each; at least one.
        columns: at most so many in a row; the rows are filled evenly.
        widest: pictures are made no wider than this, in pixels.
    """
    width = min(widest, max(image.width for _, image in panels))
    scaled = [(title, _to_width(image, width)) for title, image in panels]
    rows = ceil(len(scaled) / columns)
    per_row = ceil(len(scaled) / rows)
    strips = [
        _strip(scaled[at : at + per_row], width, per_row) for at in range(0, len(scaled), per_row)
    ]
    canvas = Image.new("RGB", (strips[0].width, sum(strip.height for strip in strips)), PAPER)
    top = 0
    for strip in strips:
        canvas.paste(strip, (0, top))
        top += strip.height
    return canvas


def _to_width(image: Image.Image, width: int) -> Image.Image:
    if image.width == width:
        return image
    return image.resize((width, max(1, round(image.height * width / image.width))))


def _strip(panels: Sequence[tuple[str, Image.Image]], width: int, columns: int) -> Image.Image:
    """One row of the grid."""
    size = max(15, width // 20)
    head, gap = round(size * 1.8), max(6, size // 2)
    tallest = max(image.height for _, image in panels)
    canvas = Image.new("RGB", (columns * (width + gap) + gap, head + tallest + gap), PAPER)
    pen = ImageDraw.Draw(canvas)
    for at, (title, image) in enumerate(panels):
        left = gap + at * (width + gap)
        pen.text((left, head // 2), title, INK, font(size), anchor="lm")
        canvas.paste(image, (left, head))
    return canvas
