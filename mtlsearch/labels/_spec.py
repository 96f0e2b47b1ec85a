"""Specification of a label."""

from __future__ import annotations

from dataclasses import dataclass

from mtlsearch.labels._form import Form


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """Form and classes of one label.

    Attributes:
        form: type of the label.
        classes: class names by index; empty for maps.
        ignore_index: value of void pixels in a mask.
        channels: numbers per pixel of a map.
        unit: unit of a map's numbers, such as ``"m"``.
        counts: how often each class occurs in the training split: images for categories,
            objects for boxes, pixels for masks. None before they are counted.
    """

    form: Form
    classes: tuple[str, ...] = ()
    ignore_index: int = 255
    channels: int = 1
    unit: str = ""
    counts: tuple[int, ...] | None = None

    def describe(self) -> str:
        """Return the form and the classes, or the form, channels and unit of a map.

        Returns:
            One line of text.
        """
        if self.form is Form.MAP:
            unit = f" in {self.unit}" if self.unit else ""
            return f"{self.form.value} of {self.channels} channel(s){unit}"
        return f"{self.form.value} of {len(self.classes)} classes: {', '.join(self.classes)}"
