"""Options of the task kind ``segmentation``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from mtlsearch.plugin import Settings


class SegmentationSettings(Settings):
    """Options of the task kind ``segmentation``."""

    channels: PositiveInt = Field(64, description="number of channels of the decoder")
    stride: PositiveInt = Field(
        4,
        description="image pixels per pixel of the decoder; its output is resized to the image",
    )
    dice: NonNegativeFloat = Field(0.0, description="weight of the soft Dice loss; 0: not used")
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="fraction of the target that the cross-entropy distributes over all classes",
    )
    class_weights: tuple[NonNegativeFloat, ...] | Literal["balanced"] | None = Field(
        None,
        description="one loss weight per class; balanced: larger for rare classes; null: equal",
    )
