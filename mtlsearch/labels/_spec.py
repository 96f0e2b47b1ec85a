"""What a data set says of one of its labels."""

from __future__ import annotations

from dataclasses import dataclass

from mtlsearch.labels._form import Form


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """Form and classes of one label.

    Attributes:
        form: how it is written down.
        classes: class names by index; empty for maps.
        ignore_index: the mask value that means "void".
        channels: numbers a pixel, for maps.
        unit: unit of a map's numbers, such as ``"m"``.
        counts: how often each class occurs in the training split, where it was counted
            (images for categories, objects for boxes, pixels for masks).
    """

    form: Form
    classes: tuple[str, ...] = ()
    ignore_index: int = 255
    channels: int = 1
    unit: str = ""
    counts: tuple[int, ...] | None = None

    def describe(self) -> str:
        """One line for a person."""
        if self.form is Form.MAP:
            unit = f" in {self.unit}" if self.unit else ""
            return f"{self.form.value} of {self.channels} channel(s){unit}"
        return f"{self.form.value} of {len(self.classes)} classes: {', '.join(self.classes)}"
