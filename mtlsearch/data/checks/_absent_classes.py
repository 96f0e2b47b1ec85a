"""Classes that never occur in the training images as the network is given them, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mtlsearch.data.checks._counts import LabelCounts
from mtlsearch.data.checks._report import CheckReport
from mtlsearch.labels import Form, LabelSpec

MAX_EXAMPLES = 3
"""Number of classes that a message lists."""


@dataclass(frozen=True, slots=True)
class AbsentClasses:
    """Classes of one label that never occur in ``train``, for one reason.

    Attributes:
        classes: names of the classes.
        reason: why they do not occur, as one clause.
        fix: how to fix it, in the imperative.
    """

    classes: tuple[str, ...]
    reason: str
    fix: str

    def __str__(self) -> str:
        noun = "class" if len(self.classes) == 1 else f"{len(self.classes)} classes"
        verb = "occurs" if len(self.classes) == 1 else "occur"
        return f"{noun} {list_names(self.classes)} never {verb} in 'train': {self.reason}"


def list_names(names: Collection[str]) -> str:
    """Return the first three names in quotes, and the number of the others.

    Args:
        names: the names.

    Returns:
        Such as ``"'cat', 'dog', 'fox' and 4 more"``.
    """
    shown = ", ".join(repr(name) for name in [*names][:MAX_EXAMPLES])
    rest = len(names) - MAX_EXAMPLES
    return f"{shown} and {rest} more" if rest > 0 else shown


def find_absent_classes(
    report: CheckReport, label: str, spec: LabelSpec, classes: Collection[str]
) -> tuple[AbsentClasses, ...]:
    """Return the classes that no training image has in the size of the network's input.

    Args:
        report: result of reading ``train``, without problems.
        label: name of the label.
        spec: its specification.
        classes: the classes to look for.

    Returns:
        The absent classes, one entry per reason.
    """
    counts = report.counts["train"][label]
    names_by_reason: dict[str, list[str]] = {}
    fix_by_reason: dict[str, str] = {}
    for name in spec.classes:
        if name in classes and not counts.visible.get(name):
            reason, fix = _explain(name, spec, counts, report, label)
            names_by_reason.setdefault(reason, []).append(name)
            fix_by_reason.setdefault(reason, fix)
    return tuple(
        AbsentClasses(tuple(names), reason, fix_by_reason[reason])
        for reason, names in names_by_reason.items()
    )


def are_fractions(counts: LabelCounts) -> bool:
    """Return whether the boxes of a label look like fractions of width and height.

    Args:
        counts: counts of the label in a split.

    Returns:
        True if at least half of the boxes lie within the first pixel of their image.
    """
    num_boxes = sum(counts.classes.values()) + sum(counts.crowd.values())
    return counts.num_unit_boxes > 0 and 2 * counts.num_unit_boxes >= num_boxes


def fractions_fix(settings: Collection[str]) -> str:
    """Return how to fix boxes in fractions.

    Args:
        settings: names of the settings of the label's sources.

    Returns:
        One clause, which names `normalized` only if it is a setting.
    """
    fix = "multiply them by width and height"
    return f"{fix}, or set `normalized: true` of the label" if "normalized" in settings else fix


def _explain(
    name: str, spec: LabelSpec, counts: LabelCounts, report: CheckReport, label: str
) -> tuple[str, str]:
    """Return why a class does not occur, and how to fix it."""
    size, settings = report.size_text, report.settings.get(label, frozenset())
    val = report.counts["val"][label].classes if "val" in report.counts else {}
    larger = "set a larger `data.image_size`"
    if counts.classes.get(name):
        if spec.form is Form.MASK:
            return f"its pixels vanish when masks are resized to {size} pixels", larger
        if are_fractions(counts):
            return "its boxes look like fractions of width and height", fractions_fix(settings)
        return f"its boxes are smaller than a pixel at `data.image_size` {size}", larger
    if counts.crowd.get(name):
        return "all of its boxes are crowd (difficult)", "unmark them, or remove the class"
    if spec.form is Form.MASK:
        return _explain_mask(name, spec, counts, settings)
    if val.get(name):
        return "only 'val' has it", "change the split, so that both have the class"
    return "no image has it", "remove the class, or add images that have it"


def _explain_mask(
    name: str, spec: LabelSpec, counts: LabelCounts, settings: Collection[str]
) -> tuple[str, str]:
    indices = [spec.classes.index(item) for item, number in counts.classes.items() if number]
    void = spec.ignore_index
    has_values = "values" in settings
    if not counts.num_void:
        fix = "set `values` of the label" if has_values else "add images that have it"
        return f"the masks contain {_join(indices)}", f"{fix}, or remove {name}"
    value = f"set `values: {{{void}: {name}}}` of the label"
    fix = f"{value} if {void} is this class" if has_values else "add images that have it"
    return (
        f"the masks contain {_join([*indices, void])}, and {void} is `ignore_index` (void)",
        f"{fix}, or remove it",
    )


def _join(numbers: Sequence[int]) -> str:
    first, last = ", ".join(map(str, numbers[:-1])), str(numbers[-1]) if numbers else "nothing"
    return f"{first} and {last}" if first else last
