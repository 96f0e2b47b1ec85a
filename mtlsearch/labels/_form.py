"""The forms that labels, and so predictions, come in."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """How a label is written down; transforms, pictures and bundles go by it.

    A task kind says which forms it accepts. The host knows forms, never kinds.
    """

    CATEGORY = "category"
    """One class an image: an ``int``."""

    CATEGORIES = "categories"
    """Any number of classes an image: a tuple of ``int``."""

    BOXES = "boxes"
    """Any number of boxes, each with a class: :class:`Boxes`."""

    MASK = "mask"
    """One class a pixel: integers ``[H, W]``; ``LabelSpec.ignore_index`` is void."""

    MAP = "map"
    """One or more numbers a pixel: float32 ``[K, H, W]``; which of them are void, the task says."""
