"""Options of the task kind ``detection``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mtlsearch.plugin import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class DetectionSettings(Settings):
    """Options of the task kind ``detection``."""

    strides: tuple[PositiveInt, ...] = Field(
        (8, 16, 32),
        min_length=1,
        description="strides of the maps that boxes are read from; those larger than the image "
        "are left out",
    )
    channels: PositiveInt = Field(64, description="channels of the pyramid and the towers")
    depth: NonNegativeInt = Field(2, description="convolutions in each of the two towers")
    positives: PositiveInt = Field(10, description="points that answer for a box, at most")
    box_weight: PositiveFloat = Field(
        2.0, description="weight of the boxes' loss; the classes' has 1"
    )
    score_threshold: Share = Field(0.3, description="predictions below it are not shown")
    iou_threshold: Share = Field(0.6, description="of two boxes that overlap more, one is dropped")
    max_detections: PositiveInt = Field(100, description="predictions an image, at most")
