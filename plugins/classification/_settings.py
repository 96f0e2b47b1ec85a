"""Options of the task kind ``classification``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from mtlsearch.plugin import Settings

Share = Annotated[float, Field(ge=0, lt=1)]


class ClassificationSettings(Settings):
    """Options of the task kind ``classification``."""

    levels: PositiveInt = Field(
        1, description="the last so many feature levels are averaged and read"
    )
    dropout: Share = Field(0.0, description="part of the averaged features dropped in training")
    label_smoothing: Share = Field(
        0.0, description="part of the target that is spread over all classes"
    )
    class_weights: tuple[NonNegativeFloat, ...] | Literal["balanced"] | None = Field(
        None, description="a weight a class; balanced: the rarer the heavier; null: all alike"
    )
    score_threshold: Share = Field(
        0.5, description="several classes: those at least this likely are predicted"
    )
