"""Forms of labels and predictions."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """Type of a label, and of the prediction that a task makes for it.

    Transforms, drawings and bundles depend on the form only. A task kind declares which forms
    it accepts in :attr:`Task.accepts <mtlsearch.plugin.Task.accepts>`.
    """

    CATEGORY = "category"
    """One class per image: an ``int``."""

    CATEGORIES = "categories"
    """Any number of classes per image: a tuple of ``int``."""

    BOXES = "boxes"
    """Any number of boxes per image, each with a class: :class:`Boxes`."""

    MASK = "mask"
    """One class per pixel: integers ``[H, W]``; ``LabelSpec.ignore_index`` is void."""

    NUMBER = "number"
    """One number per image: a ``float``."""

    MAP = "map"
    """One or more numbers per pixel: float32 ``[K, H, W]``; the task defines which are void."""
