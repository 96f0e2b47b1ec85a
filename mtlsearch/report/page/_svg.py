"""Elements of inline SVG: escaped tags, linear scales and axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

Point = tuple[float, float]

ZERO = 1e-12


def tag(name: str, *children: str, **attributes: object) -> Markup:
    """Return an element; texts and values are escaped, other elements are not.

    Args:
        name: name of the element.
        children: texts and elements.
        attributes: values by name, without those that are None. ``class_`` becomes ``class``, and
            ``stroke_width`` becomes ``stroke-width``.

    Returns:
        The element.
    """
    items = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _text(value))
        for key, value in attributes.items()
        if value is not None
    )
    content = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, items, content)


def _text(value: object) -> str:
    """Return a value of an attribute; numbers have at most one decimal."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def drawing(width: float, height: float, label: str, *children: str, class_: str = "") -> Markup:
    """Return a drawing that shrinks with the page.

    Args:
        width: width in pixels.
        height: height in pixels.
        label: what it shows, for screen readers.
        children: its elements.
        class_: further classes.

    Returns:
        The ``svg`` element.
    """
    return tag(
        "svg",
        *children,
        viewBox=f"0 0 {_text(float(width))} {_text(float(height))}",
        width=float(width),
        height=float(height),
        style=f"--w:{_text(float(width))}px",
        role="img",
        aria_label=label,
        class_=f"drawing {class_}".strip(),
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Linear map from numbers to pixels.

    Attributes:
        low: number at ``start``.
        high: number at ``end``; larger than ``low``.
        start: pixel of ``low``.
        end: pixel of ``high``.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(
        cls, values: Iterable[float], start: float, end: float, *, margin: float = 0.06
    ) -> Scale:
        """Return the scale of some finite numbers with a margin on both sides.

        Args:
            values: the numbers; without any, the scale is from 0 to 1.
            start: pixel of the smallest number.
            end: pixel of the largest number.
            margin: margin as a fraction of the range.

        Returns:
            The scale.
        """
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        span = high - low
        if span < ZERO:
            span = abs(high) or 1.0
            low, high = low - span / 2, high + span / 2
        return cls(low - margin * span, high + margin * span, start, end)

    def __call__(self, value: float) -> float:
        """Return the pixel of a number."""
        fraction = (value - self.low) / (self.high - self.low)
        return self.start + fraction * (self.end - self.start)

    def ticks(self, count: int = 5, *, integer: bool = False) -> list[float]:
        """Return round numbers inside the scale.

        Args:
            count: largest number of intervals.
            integer: only whole numbers.

        Returns:
            The numbers, ascending.
        """
        locator = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10], integer=integer)
        values = [float(value) for value in locator.tick_values(self.low, self.high)]
        return [value for value in values if self.low <= value <= self.high]


def tick_label(value: float, ticks: Sequence[float]) -> str:
    """Return a number of an axis with the decimals that its ticks need."""
    steps = [right - left for left, right in pairwise(ticks)]
    step = min(steps, default=abs(value) or 1.0)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if decimals and any(abs(round(tick, decimals) - tick) > step / 100 for tick in ticks):
        decimals += 1
    text = f"{value:.{min(decimals, 6)}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else "0"


def axes(
    x: Scale,
    y: Scale,
    *,
    x_title: str = "",
    y_title: str = "",
    x_count: int = 5,
    y_count: int = 5,
    x_integer: bool = False,
    zero: bool = False,
) -> list[Markup]:
    """Return grid lines, numbers and titles of a chart.

    Args:
        x: horizontal scale, from left to right.
        y: vertical scale, from bottom to top.
        x_title: text below the horizontal axis.
        y_title: text above the vertical axis.
        x_count: largest number of intervals of the horizontal axis.
        y_count: the same of the vertical axis.
        x_integer: only whole numbers on the horizontal axis.
        zero: whether to emphasize the line at 0.

    Returns:
        The elements.
    """
    parts = []
    y_ticks, x_ticks = y.ticks(y_count), x.ticks(x_count, integer=x_integer)
    for value in y_ticks:
        height = y(value)
        parts.append(tag("line", x1=x.start, x2=x.end, y1=height, y2=height, class_="grid"))
        text = tick_label(value, y_ticks)
        parts.append(tag("text", text, x=x.start - 6, y=height + 3.5, class_="tick end"))
    if zero and y.low < 0 < y.high:
        parts.append(tag("line", x1=x.start, x2=x.end, y1=y(0), y2=y(0), class_="zero"))
    for value in x_ticks:
        text = tick_label(value, x_ticks)
        parts.append(tag("text", text, x=x(value), y=y.start + 15, class_="tick middle"))
    if x_title:
        center = (x.start + x.end) / 2
        parts.append(tag("text", x_title, x=center, y=y.start + 32, class_="axis middle"))
    if y_title:
        parts.append(tag("text", y_title, x=0, y=y.end - 14, class_="axis"))
    return parts


def polyline(points: Sequence[Point]) -> str:
    """Return the data of a path through points, in relative steps of a tenth of a pixel.

    A point that is not finite interrupts the path.
    """
    parts: list[str] = []
    last: tuple[int, int] | None = None
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            last = None
            continue
        current = round(10 * x), round(10 * y)
        if last is None:
            parts.append(f"M{current[0] / 10:g} {current[1] / 10:g}")
        else:
            parts.append(f"l{(current[0] - last[0]) / 10:g} {(current[1] - last[1]) / 10:g}")
        last = current
    return "".join(parts)
