"""Boxes drawn with their names, which keep out of each other's way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from mtlsearch.prediction._layout import font, text_size
from mtlsearch.prediction._palette import Colour, ink_on

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """A box in pixels of the canvas, its text and its colour."""

    box: Rectangle
    text: str
    colour: Colour


def draw_frames(canvas: Image.Image, frames: Sequence[Frame]) -> None:
    """Draw frames onto a picture, the first on top, and their texts above all of them."""
    size = text_size(canvas)
    pen = ImageDraw.Draw(canvas)
    for frame in reversed(frames):
        _draw_box(pen, frame, max(2, size // 6))
    plates = _place(frames, canvas.size, size)
    for frame, plate in reversed(list(zip(frames, plates, strict=True))):
        pen.rectangle(plate, fill=frame.colour)
        middle = (plate[1] + plate[3]) / 2
        pen.text((plate[0] + size // 4, middle), frame.text, ink_on(frame.colour), font(size), "lm")


def _draw_box(pen: ImageDraw.ImageDraw, frame: Frame, width: int) -> None:
    left, top, right, bottom = frame.box
    right, bottom = max(left + 1, right - 1), max(top + 1, bottom - 1)
    # A dark rim keeps a bright frame visible on a bright image.
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=(0, 0, 0), width=1)
    pen.rectangle((left, top, right, bottom), outline=frame.colour, width=width)


def _place(frames: Sequence[Frame], canvas: tuple[int, int], size: int) -> list[Rectangle]:
    """Where each text stands: the first place in the picture that is free, else above the box."""
    taken: list[Rectangle] = []
    for frame in frames:
        wide, high = font(size).getlength(frame.text) + size // 2, round(size * 1.25)
        corners = _corners(frame.box, wide, high)
        visible = [(x, y) for x, y in corners if 0 <= y <= canvas[1] - high] or corners
        places = [_inside(x, y, wide, high, canvas) for x, y in visible]
        free = (at for at in places if not any(_overlap(at, other) for other in taken))
        taken.append(next(free, places[0]))
    return taken


def _corners(box: Rectangle, wide: float, high: float) -> list[tuple[float, float]]:
    """Left and top of a text: above the box, below it, in it; at its left, at its right."""
    left, top, right, bottom = box
    heights = [top - high, bottom, top, bottom - high]
    return [(x, y) for x in (left, right - wide) for y in heights]


def _inside(
    left: float, top: float, wide: float, high: float, canvas: tuple[int, int]
) -> Rectangle:
    """The text's plate, moved into the picture."""
    x = max(0.0, min(left, canvas[0] - wide))
    y = max(0.0, min(top, canvas[1] - high))
    return (x, y, x + wide, y + high)


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
