"""Drawing of boxes with text labels that avoid each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from mtlsearch.prediction._layout import font, text_size
from mtlsearch.prediction._palette import Color, ink_on

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """A box to draw.

    Attributes:
        box: left, top, right, bottom in pixels of the canvas.
        text: text label; empty for none.
        color: color of the outline and of the label's background.
    """

    box: Rectangle
    text: str
    color: Color


def draw_frames(canvas: Image.Image, frames: Sequence[Frame]) -> None:
    """Draw frames onto a picture, the first on top, and then all text labels."""
    size = text_size(canvas)
    pen = ImageDraw.Draw(canvas)
    for frame in reversed(frames):
        _draw_box(pen, frame, max(2, size // 6))
    named = [frame for frame in frames if frame.text]
    labels = _place_labels(named, canvas.size, size)
    for frame, label in reversed(list(zip(named, labels, strict=True))):
        pen.rectangle(label, fill=frame.color)
        middle = (label[1] + label[3]) / 2
        pen.text((label[0] + size // 4, middle), frame.text, ink_on(frame.color), font(size), "lm")


def _draw_box(pen: ImageDraw.ImageDraw, frame: Frame, width: int) -> None:
    left, top, right, bottom = frame.box
    right, bottom = max(left + 1, right - 1), max(top + 1, bottom - 1)
    # A dark outline keeps a bright frame visible on a bright image.
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=(0, 0, 0), width=1)
    pen.rectangle((left, top, right, bottom), outline=frame.color, width=width)


def _place_labels(frames: Sequence[Frame], canvas: tuple[int, int], size: int) -> list[Rectangle]:
    """Return a rectangle per text label: the first free position, or else the first position."""
    taken: list[Rectangle] = []
    for frame in frames:
        width, height = font(size).getlength(frame.text) + size // 2, round(size * 1.25)
        corners = _corners(frame.box, width, height)
        visible = [(x, y) for x, y in corners if 0 <= y <= canvas[1] - height] or corners
        labels = [_inside(x, y, width, height, canvas) for x, y in visible]
        free = (label for label in labels if not any(_overlap(label, used) for used in taken))
        taken.append(next(free, labels[0]))
    return taken


def _corners(box: Rectangle, width: float, height: float) -> list[tuple[float, float]]:
    """Return left and top of possible labels: above, below and in the box, left and right."""
    left, top, right, bottom = box
    tops = [top - height, bottom, top, bottom - height]
    return [(x, y) for x in (left, right - width) for y in tops]


def _inside(
    left: float, top: float, width: float, height: float, canvas: tuple[int, int]
) -> Rectangle:
    """Return a rectangle, moved into the picture."""
    x = max(0.0, min(left, canvas[0] - width))
    y = max(0.0, min(top, canvas[1] - height))
    return (x, y, x + width, y + height)


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
