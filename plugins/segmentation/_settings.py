"""Options of the task kind ``segmentation``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from mtlsearch.plugin import Settings


class SegmentationSettings(Settings):
    """Options of the task kind ``segmentation``."""

    channels: PositiveInt = Field(64, description="channels of the decoder")
    stride: PositiveInt = Field(
        4, description="image pixels per pixel of the decoder; its result is made larger"
    )
    dice: NonNegativeFloat = Field(0.0, description="weight of a soft Dice loss; 0: none")
    class_weights: tuple[NonNegativeFloat, ...] | Literal["balanced"] | None = Field(
        None, description="a weight a class; balanced: the rarer the heavier; null: all alike"
    )
