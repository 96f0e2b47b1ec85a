"""Specification of a label."""

from __future__ import annotations

from dataclasses import dataclass

from mtlsearch.labels._form import Form


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """Form and classes of one label.

    Attributes:
        form: type of the label.
        classes: class names by index; empty for numbers and maps.
        ignore_index: value of void pixels in a mask.
        channels: numbers per pixel of a map.
        unit: unit of a number or of a map's numbers, such as ``"kg"``.
        counts: how often each class occurs in the training split: images for categories,
            objects for boxes, pixels for masks. None before they are counted.
        mean: mean of the numbers in the training split; None before they are counted.
        std: their standard deviation; 0 if all are equal.
        named_classes: classes that the run file names, in the settings of the source. A run is
            refused if one of them never occurs in ``train``; of other classes it only warns.
    """

    form: Form
    classes: tuple[str, ...] = ()
    ignore_index: int = 255
    channels: int = 1
    unit: str = ""
    counts: tuple[int, ...] | None = None
    mean: float | None = None
    std: float | None = None
    named_classes: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the form and the classes, or the form and unit of a number or a map.

        Returns:
            One line of text.
        """
        unit = f" in {self.unit}" if self.unit else ""
        if self.form is Form.NUMBER:
            return f"{self.form.value}{unit}"
        if self.form is Form.MAP:
            return f"{self.form.value} of {self.channels} channel{'s' * (self.channels != 1)}{unit}"
        noun = "class" if len(self.classes) == 1 else "classes"
        return f"{self.form.value} of {len(self.classes)} {noun}: {', '.join(self.classes)}"
