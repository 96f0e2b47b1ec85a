"""The ``search`` part of a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from mtlsearch.config._confirm import ConfirmConfig
from mtlsearch.config._knowledge import (
    DistillationEntry,
    DistillationInput,
    options,
    reject_duplicates,
)
from mtlsearch.config._section import OpenSection, Section

Sampler = Literal["auto", "tpe", "gp", "nsga2", "random"]


class SpaceEntry(OpenSection):
    """A search space; keys beside this one are its own settings."""

    kind: str = Field(description="name of the space, see `mtlsearch spaces`")


class BalancerEntry(OpenSection):
    """A balancer; keys beside this one are its own settings."""

    kind: str = Field(description="name of the balancer, see `mtlsearch balancers`")


FIRST_RUNG = 8
"""Epochs before which ``auto`` compares nobody, but at half of a training that is shorter."""

TOO_SHORT = 6
"""Below so many epochs in all ``auto`` compares nobody."""


class EarlyStoppingConfig(Section):
    """Trials that lag behind are stopped early, and go on when they come to be among the best."""

    rungs: Literal["auto"] | tuple[PositiveInt, ...] = Field(
        "auto",
        description="epochs after which trials are compared; auto: train.epochs divided by "
        "reduction, again and again, none before epoch 8; if that leaves none, half of them; "
        "below 6 epochs nobody is stopped",
    )
    reduction_factor: Annotated[int, Field(ge=2)] = Field(
        3, description="of so many trials that are compared, one goes on"
    )

    @field_validator("rungs")
    @classmethod
    def _rise(cls, value: Any) -> Any:
        if value != "auto" and (not value or list(value) != sorted(set(value))):
            raise ValueError("rungs are epochs, each later than the one before, such as [2, 4]")
        return value

    def rungs_of(self, epochs: int) -> tuple[int, ...]:
        """The epochs after which trials of so many epochs are compared, rising.

        ``auto`` has none before epoch 8, as the order of trials says too little of that at the end.
        Where that leaves none there is one at half of the training, rounded up, and below 6 epochs
        there is none: every trial is trained in full.
        """
        if self.rungs != "auto":
            return self.rungs
        found, at = list[int](), epochs // self.reduction_factor
        while at >= FIRST_RUNG:
            found.append(at)
            at //= self.reduction_factor
        if not found and epochs >= TOO_SHORT:
            found = [-(-epochs // 2)]
        return tuple(reversed(found))


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
    warm_start: Literal["affinity"] | Path | None = Field(
        None,
        description="the first proposal by task affinity: its file, or affinity: the one "
        "in the run directory; null: a blind one",
    )
    objectives: tuple[str, ...] = Field(
        ("delta_m",),
        description="what is wanted: delta_m, params, flops, latency_ms or a metric as "
        "TASK.METRIC; several are not weighed against each other, the Pareto front is searched",
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        None,
        description="stop trials early that lag behind: `rungs` (epochs, or auto) and "
        "`reduction`; null: every trial is trained in full",
    )
    loss_weights: Literal["equal", "search"] | dict[str, PositiveFloat] = Field(
        "equal", description="equal, searched on the simplex, or a number a task"
    )
    balancer: str | BalancerEntry | tuple[str | BalancerEntry, ...] = Field(
        "static", description="how tasks that share are balanced: a name, or a list to search over"
    )
    distillation: DistillationInput = Field(
        "none",
        description="what tasks learn from features besides: none, distil or mutual, with alpha "
        "beside kind, or a list to search over",
    )
    attention: bool | tuple[bool, ...] = Field(
        False, description="whether tasks that share have gates on their features; a list: searched"
    )
    learning_rate: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None, description="range to search, on a log scale; null: train.learning_rate"
    )
    storage: str | None = Field(
        None,
        description="Optuna storage URL; a relative SQLite path starts from the run directory; "
        "null: a journal file there; env MTLSEARCH_STORAGE_PASSWORD may give its password",
    )
    keep_weights: Literal["all"] | Annotated[int, Field(ge=1)] = Field(
        "all", description="whose weights stay on disk: all trials', or the best so many"
    )
    confirm: ConfirmConfig | None = Field(
        None, description="train the best trials on more seeds at the end: {top: 3, seeds: 3}"
    )

    @field_validator("space", mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("objectives", mode="before")
    @classmethod
    def _bare_objective(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("objectives")
    @classmethod
    def _some_objectives(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("objectives names nothing; `objectives: [delta_m]` is the default")
        if twice := next((name for name in value if value.count(name) > 1), None):
            raise ValueError(f"objectives names {twice!r} twice")
        return value

    @field_validator("balancer")
    @classmethod
    def _each_once(cls, value: Any) -> Any:
        names = [entry.kind for entry in _entries(value)]
        if not names:
            raise ValueError("balance names no balancer; `balancer: static` is the plain sum")
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"balance names {twice!r} twice")
        return value

    @field_validator("distillation")
    @classmethod
    def _kinds_once(cls, value: Any) -> Any:
        reject_duplicates(value)
        return value

    @field_validator("attention")
    @classmethod
    def _some_attention(cls, value: Any) -> Any:
        if value == ():
            raise ValueError("attention names nothing; `attention: false` goes without")
        return value

    @property
    def distillation_options(self) -> tuple[DistillationEntry, ...]:
        """The knowledge to choose from; of several, the first is ``none``."""
        return options(self.distillation)

    @property
    def attention_options(self) -> tuple[bool, ...]:
        """With gates, without, or both."""
        given = self.attention if isinstance(self.attention, tuple) else (self.attention,)
        return tuple(sorted(set(given)))

    @property
    def balancers(self) -> tuple[BalancerEntry, ...]:
        """The balancers to choose from, each with its settings."""
        return _entries(self.balancer)


def _entries(
    balancer: str | BalancerEntry | tuple[str | BalancerEntry, ...],
) -> tuple[BalancerEntry, ...]:
    listed = balancer if isinstance(balancer, tuple) else (balancer,)
    return tuple(BalancerEntry(kind=at) if isinstance(at, str) else at for at in listed)
