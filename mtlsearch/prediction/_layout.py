"""Layout of pictures: enlarging, captions and grids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil, floor, sqrt

from PIL import Image, ImageDraw, ImageFont

from mtlsearch.images import AnyImage, to_rgb
from mtlsearch.prediction._palette import Color

MIN_SIDE = 256

MAX_ASPECT = 8
"""Largest ratio of the sides of a drawn picture; a longer strip is compressed along it."""

MAX_PIXELS = 24_000_000
"""Largest number of pixels of a drawn picture; a larger image is reduced."""
PAPER: Color = (255, 255, 255)
INK: Color = (32, 36, 42)

MAX_HEIGHT = MAX_ASPECT + 2
"""Largest height of a panel, in widths: a drawn strip and its caption."""

MAX_ENTRIES = 12
"""Number of texts in a caption; further ones are only counted."""

Entry = tuple[Color | None, str]
"""Color of the swatch, or None, and text of one entry in a caption."""


def canvas_of(image: AnyImage) -> tuple[Image.Image, tuple[float, float]]:
    """Return an RGB copy to draw on, and its scale factors across and down.

    The factor is a whole number that gives the shorter side 256 pixels or more, so that text on
    the copy is readable and pixels stay sharp. Strips and very large images get other factors, so
    that the copy has a bound whatever the aspect.
    """
    rgb = to_rgb(image)
    size = canvas_size(rgb.size)
    # Without a change of size, `resize` returns a copy.
    copy = rgb.resize(size, Image.Resampling.BICUBIC)
    return copy, (size[0] / rgb.width, size[1] / rgb.height)


def canvas_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return ``(width, height)`` of the canvas for an image of some ``(width, height)``."""
    factor = max(1, ceil(MIN_SIDE / min(size)))
    longest = MAX_ASPECT * min(size) * factor
    width, height = (min(side * factor, longest) for side in size)
    if width * height <= MAX_PIXELS:
        return width, height
    reduction = sqrt(MAX_PIXELS / (width * height))
    return floor(width * reduction), floor(height * reduction)


def text_size(image: Image.Image) -> int:
    """Return the height of text for a picture, in pixels."""
    # The longer side counts for strips, which are shown small.
    return max(14, min(image.size) // 22, max(image.size) // 64)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the built-in font of Pillow."""
    return ImageFont.load_default(size)


def with_caption(image: Image.Image, entries: Sequence[Entry]) -> Image.Image:
    """Return the picture with a caption below: up to 12 entries, wrapped to its width."""
    if len(entries) > MAX_ENTRIES:
        entries = [*entries[:MAX_ENTRIES], (None, f"and {len(entries) - MAX_ENTRIES} more")]
    size = text_size(image)
    line, margin = round(size * 1.5), round(size * 0.5)
    placed, lines = _wrap(entries, image.width - 2 * margin, size)
    canvas = Image.new("RGB", (image.width, image.height + lines * line + margin), PAPER)
    canvas.paste(image, (0, 0))
    pen = ImageDraw.Draw(canvas)
    for (color, text), (left, row) in zip(entries, placed, strict=True):
        x, y = margin + left, image.height + margin // 2 + row * line + line // 2
        if color is not None:
            half = round(size * 0.4)
            pen.rounded_rectangle((x, y - half, x + 2 * half, y + half), half // 2, fill=color)
            x += round(size * 1.2)
        pen.text((x, y), text, INK, font(size), anchor="lm")
    return canvas


def _wrap(entries: Sequence[Entry], width: int, size: int) -> tuple[list[tuple[int, int]], int]:
    """Return left edge and line of each entry, and the number of lines."""
    placed: list[tuple[int, int]] = []
    left = row = 0
    for color, text in entries:
        length = ceil(font(size).getlength(text)) + (round(size * 1.2) if color else 0)
        if left and left + length > width:
            left, row = 0, row + 1
        placed.append((left, row))
        left += length + size
    return placed, row + 1


def side_by_side(
    panels: Sequence[tuple[str, Image.Image]], *, columns: int = 4, max_width: int = 640
) -> Image.Image:
    """Return a grid of pictures of equal width, each below its title.

    Strips are compressed along them, so that the grid has a bound whatever their aspect.

    Args:
        panels: title and picture of each panel; at least one.
        columns: largest number of panels per row; rows are filled evenly.
        max_width: largest width of a picture in pixels.

    Returns:
        The grid in mode RGB.
    """
    width = min(max_width, max(image.width for _, image in panels))
    scaled = [(title, _to_width(image, width)) for title, image in panels]
    rows = ceil(len(scaled) / columns)
    per_row = ceil(len(scaled) / rows)
    strips = [
        _strip(scaled[start : start + per_row], width, per_row)
        for start in range(0, len(scaled), per_row)
    ]
    canvas = Image.new("RGB", (strips[0].width, sum(strip.height for strip in strips)), PAPER)
    top = 0
    for strip in strips:
        canvas.paste(strip, (0, top))
        top += strip.height
    return canvas


def _to_width(image: Image.Image, width: int) -> Image.Image:
    height = round(image.height * width / image.width)
    size = (width, min(max(height, width // MAX_ASPECT, 1), MAX_HEIGHT * width))
    return image if image.size == size else image.resize(size)


def _strip(panels: Sequence[tuple[str, Image.Image]], width: int, columns: int) -> Image.Image:
    """Return one row of the grid."""
    size = max(15, width // 20)
    head, gap = round(size * 1.8), max(6, size // 2)
    tallest = max(image.height for _, image in panels)
    canvas = Image.new("RGB", (columns * (width + gap) + gap, head + tallest + gap), PAPER)
    pen = ImageDraw.Draw(canvas)
    for column, (title, image) in enumerate(panels):
        left = gap + column * (width + gap)
        pen.text((left, head // 2), title, INK, font(size), anchor="lm")
        canvas.paste(image, (left, head))
    return canvas
