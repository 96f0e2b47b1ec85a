"""Options of the task kind ``regression``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from mtlsearch.plugin import Settings

Fraction = Annotated[float, Field(ge=0, lt=1)]


class RegressionSettings(Settings):
    """Options of the task kind ``regression``."""

    levels: PositiveInt = Field(
        1, description="number of feature levels that the head uses, from the last one"
    )
    dropout: Fraction = Field(
        0.0, description="fraction of the pooled features that training sets to zero"
    )
    beta: PositiveFloat = Field(
        1.0,
        description="error below which the loss is quadratic and above which it is linear, in "
        "standard deviations of the training labels",
    )
