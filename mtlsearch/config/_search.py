"""The ``search`` part of a run file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from mtlsearch.config._section import OpenSection, Section

Sampler = Literal["auto", "tpe", "gp", "nsga2", "random"]


class SpaceEntry(OpenSection):
    """A search space; keys beside this one are its own settings."""

    kind: str = Field(description="name of the space, see `mtlsearch spaces`")


class SearchConfig(Section):
    """What is searched, and for how many trials."""

    space: SpaceEntry | None = Field(
        None, description="what may be proposed: a name, or `kind` with the space's settings"
    )
    trials: PositiveInt = Field(10, description="trials in all, the two baselines among them")
    sampler: Sampler = Field(
        "auto",
        description="who chooses the next trial: auto (ranks all plans where they can be "
        "listed, tpe elsewhere), tpe, gp, nsga2 or random",
    )
    loss_weights: Literal["equal", "search"] | dict[str, PositiveFloat] = Field(
        "equal", description="equal, searched on the simplex, or a number a task"
    )
    learning_rate: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None, description="range to search, on a log scale; null: train.learning_rate"
    )
    storage: str | None = Field(
        None, description="Optuna storage URL; null: a journal file in the run directory"
    )
    keep: Literal["all"] | Annotated[int, Field(ge=1)] = Field(
        "all", description="whose weights stay on disk: all trials', or the best so many"
    )

    @field_validator("space", mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value
