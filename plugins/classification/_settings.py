"""Options of the task kind ``classification``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from mtlsearch.plugin import Settings

Fraction = Annotated[float, Field(ge=0, lt=1)]


class ClassificationSettings(Settings):
    """Options of the task kind ``classification``."""

    levels: PositiveInt = Field(
        1, description="number of feature levels that the head uses, from the last one"
    )
    dropout: Fraction = Field(
        0.0, description="fraction of the pooled features that training sets to zero"
    )
    label_smoothing: Fraction = Field(
        0.0, description="fraction of the target that is distributed over all classes"
    )
    class_weights: tuple[NonNegativeFloat, ...] | Literal["balanced"] | None = Field(
        None,
        description="one loss weight per class; balanced: larger for rare classes; null: equal",
    )
    score_threshold: Fraction = Field(
        0.5, description="smallest probability of a predicted class, for labels with several"
    )
