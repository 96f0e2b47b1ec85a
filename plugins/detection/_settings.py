"""Options of the task kind ``detection``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mtlsearch.plugin import Settings

Fraction = Annotated[float, Field(ge=0, le=1)]


class DetectionSettings(Settings):
    """Options of the task kind ``detection``."""

    strides: tuple[PositiveInt, ...] = Field(
        (8, 16, 32),
        min_length=1,
        description="strides of the maps that predict boxes; those larger than the image are "
        "not used",
    )
    channels: PositiveInt = Field(64, description="number of channels of the pyramid and towers")
    depth: NonNegativeInt = Field(2, description="number of convolutions in each of two towers")
    positives: PositiveInt = Field(10, description="largest number of points assigned to a box")
    box_weight: PositiveFloat = Field(
        2.0, description="weight of the loss of boxes; that of classes is 1"
    )
    score_threshold: Fraction = Field(0.3, description="smallest score of a shown prediction")
    iou_threshold: Fraction = Field(
        0.5, description="IoU above which the box of lower score is removed"
    )
    vote_threshold: Fraction = Field(
        0.6,
        description="IoU above which boxes of a class are averaged, weighted by score, into the "
        "box that is kept; 1: no averaging",
    )
    max_detections: PositiveInt = Field(100, description="largest number of boxes per image")
