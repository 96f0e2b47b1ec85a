"""How the winner of a search is made sure of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from mtlsearch.config._section import Section


class ConfirmConfig(Section):
    """Training the best trials again, on other seeds."""

    top: PositiveInt = Field(3, description="how many of the best trials")
    seeds: Annotated[int, Field(ge=2)] = Field(
        3, description="seeds in all, the search's own among them; the others follow it"
    )
