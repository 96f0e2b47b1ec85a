"""Section ``search`` of a run file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from mtlsearch.config._early_stopping import EarlyStoppingConfig
from mtlsearch.config._section import OpenSection, Section

SamplerName = Literal["auto", "tpe", "gp", "nsga2", "random"]
SAMPLER_NAMES: tuple[SamplerName, ...] = get_args(SamplerName)
"""All values of ``search.sampler``."""

DistillationKind = Literal["none", "baseline", "mutual"]


class SpaceEntry(OpenSection):
    """A search space. All other keys are settings of the space."""

    kind: str = Field(description="name of the search space; see `mtlsearch list spaces`")


class BalancerEntry(OpenSection):
    """A balancer. All other keys are settings of the balancer."""

    kind: str = Field(description="name of the balancer; see `mtlsearch list balancers`")


class DistillationEntry(Section):
    """An auxiliary loss that moves the features of a task toward a target."""

    kind: DistillationKind = Field(
        description="target of the features: baseline (the task's independent baseline), mutual "
        "(the other tasks), or none"
    )
    alpha: PositiveFloat | tuple[PositiveFloat, PositiveFloat] = Field(
        1.0, description="weight of the auxiliary loss, or a range to search on a log scale"
    )

    @field_validator("alpha")
    @classmethod
    def _check_range(cls, value: float | tuple[float, float]) -> float | tuple[float, float]:
        if isinstance(value, tuple) and value[0] >= value[1]:
            raise ValueError(
                f"`alpha` must be an ascending range, such as [0.01, 1.0], got {list(value)}"
            )
        return value


DistillationName = DistillationKind | DistillationEntry
DistillationInput = DistillationName | tuple[DistillationName, ...]


class SearchConfig(Section):
    """The candidate space, the sampler and the number of trials."""

    space: SpaceEntry | None = Field(
        None,
        description="search space: a name, or `kind` with the settings of the space; `search` "
        "requires it",
    )
    trials: PositiveInt = Field(
        10, description="number of trials; the first two are the baselines independent and hard"
    )
    sampler: SamplerName = Field(
        "auto",
        description=f"strategy that proposes candidates: {', '.join(SAMPLER_NAMES)}; auto: the "
        "sharing GP sampler if all plans can be enumerated, otherwise tpe",
    )
    warm_start: Literal["affinity", "estimate"] | Path | None = Field(
        None,
        description="estimate: estimate all plans from short trainings first, as `mtlsearch "
        "estimate` does; or task affinity for the first proposal: its file or folder, or affinity "
        "(in the run directory); null: no warm start",
    )
    objectives: tuple[str, ...] = Field(
        ("delta_m",),
        description="objectives: delta_m, params, flops, latency_ms or TASK.METRIC; several: the "
        "Pareto front is searched",
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        None,
        description="pause trials that rank low after some epochs: {rungs: auto, "
        "reduction_factor: 3}; null: disabled",
    )
    loss_weights: Literal["equal", "search"] | dict[str, PositiveFloat] = Field(
        "equal", description="equal, search (on the simplex), or one number per task"
    )
    balancer: str | BalancerEntry | tuple[str | BalancerEntry, ...] = Field(
        "static", description="balancer of tasks that share: a name, or a list to search over"
    )
    distillation: DistillationInput = Field(
        "none",
        description="feature distillation: none, baseline, mutual, {kind, alpha}, or a list to "
        "search over",
    )
    attention: bool | tuple[bool, ...] = Field(
        False, description="attention gates for tasks that share; a list: searched"
    )
    learning_rate: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None, description="range to search on a log scale; null: train.learning_rate"
    )
    storage: str | None = Field(
        None,
        description="Optuna storage URL; relative SQLite paths start in the run directory; null: "
        "a journal file; environment variable MTLSEARCH_STORAGE_PASSWORD: its password",
    )
    artifacts: str | None = Field(
        None,
        description="bucket with copies of weights, checkpoints and curves, for hosts without a "
        "shared disk: s3://BUCKET/PREFIX; null: the run directory only",
    )
    keep_weights: Literal["all"] | Annotated[int, Field(ge=1)] = Field(
        5,
        description="trials whose weights stay on disk: all, or the number of best trials besides "
        "the baselines",
    )
    max_seeds: Annotated[int, Field(ge=1)] = Field(
        5,
        description="maximum number of seeds per candidate; the default sampler trains second "
        "seeds where they are worth more than new plans; 1: no second seeds",
    )
    stop_when_settled: bool = Field(
        True,
        description="end before `trials` if no other plan is expected to exceed the best trial by "
        "0.03 points of Δm (default sampler)",
    )

    max_failures: PositiveInt = Field(
        5, description="failed trials in a row after which the search stops with their cause"
    )
    trial_timeout: PositiveFloat | None = Field(
        None,
        description="minutes that a trial may train without a pause; a longer trial fails; null: "
        "no limit",
    )

    @model_validator(mode="before")
    @classmethod
    def _check_former_confirm(cls, value: Any) -> Any:
        """Ignore ``confirm: null``, which earlier versions wrote to every run directory."""
        if not isinstance(value, dict) or "confirm" not in value:
            return value
        if value["confirm"] is not None:
            raise ValueError(
                "`search.confirm` was replaced: the search trains second seeds itself, and "
                "`search.trials` counts them. Remove `confirm`; set `max_seeds` to bound the seeds "
                "per plan"
            )
        return {key: item for key, item in value.items() if key != "confirm"}

    @field_validator("space", mode="before")
    @classmethod
    def _name_as_entry(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("artifacts")
    @classmethod
    def _check_artifacts(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"s3://[A-Za-z0-9._-]+(/.*)?", value):
            raise ValueError(
                f"`search.artifacts` must be s3://BUCKET or s3://BUCKET/PREFIX, got {value!r}"
            )
        return value

    @field_validator("objectives", mode="before")
    @classmethod
    def _name_as_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("objectives")
    @classmethod
    def _check_objectives(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("`objectives` is an empty list; set `objectives: [delta_m]`")
        if duplicate := _first_duplicate(value):
            raise ValueError(f"`objectives` contains {duplicate!r} twice; remove one of them")
        return value

    @field_validator("learning_rate")
    @classmethod
    def _check_learning_rate(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError(
                "`search.learning_rate` must be an ascending range, such as [0.0003, 0.003], got "
                f"{list(value)}"
            )
        return value

    @field_validator("balancer")
    @classmethod
    def _check_balancers(cls, value: Any) -> Any:
        names = [entry.kind for entry in _balancer_entries(value)]
        if not names:
            raise ValueError("`balancer` is an empty list; set `balancer: static` for a plain sum")
        if duplicate := _first_duplicate(names):
            raise ValueError(f"`balancer` contains {duplicate!r} twice; remove one of them")
        return value

    @field_validator("distillation")
    @classmethod
    def _check_distillation(cls, value: Any) -> Any:
        _check_distillation_kinds(value)
        return value

    @field_validator("attention")
    @classmethod
    def _check_attention(cls, value: Any) -> Any:
        if value == ():
            raise ValueError("`attention` is an empty list; set `attention: false` to disable it")
        return value

    @property
    def distillation_options(self) -> tuple[DistillationEntry, ...]:
        """The kinds of distillation to search over; of several, the first is ``none``."""
        return _distillation_entries(self.distillation)

    @property
    def attention_options(self) -> tuple[bool, ...]:
        """The values of attention to search over, sorted."""
        values = self.attention if isinstance(self.attention, tuple) else (self.attention,)
        return tuple(sorted(set(values)))

    @property
    def balancers(self) -> tuple[BalancerEntry, ...]:
        """The balancers to search over, each with its settings."""
        return _balancer_entries(self.balancer)


def _balancer_entries(
    value: str | BalancerEntry | tuple[str | BalancerEntry, ...],
) -> tuple[BalancerEntry, ...]:
    items = value if isinstance(value, tuple) else (value,)
    return tuple(BalancerEntry(kind=item) if isinstance(item, str) else item for item in items)


def _first_duplicate(names: tuple[str, ...] | list[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


def _distillation_entries(value: DistillationInput) -> tuple[DistillationEntry, ...]:
    """Return the options to search over; in a list, ``none`` is always the first."""
    if not isinstance(value, tuple):
        return (_distillation_entry(value),)
    entries = (_distillation_entry(item) for item in value)
    return (_distillation_entry("none"), *(entry for entry in entries if entry.kind != "none"))


def _check_distillation_kinds(value: DistillationInput) -> None:
    """Check that a list of options is not empty and contains each kind once.

    Raises:
        ValueError: the list is empty or contains a kind twice.
    """
    if not isinstance(value, tuple):
        return
    kinds: list[str] = [_distillation_entry(item).kind for item in value]
    if not kinds:
        raise ValueError("`distillation` is an empty list; set `distillation: none` to disable it")
    if duplicate := next((kind for kind in kinds if kinds.count(kind) > 1), None):
        raise ValueError(
            f"`distillation` contains {duplicate!r} twice; set a range as its `alpha` instead"
        )


def _distillation_entry(value: DistillationName) -> DistillationEntry:
    return DistillationEntry(kind=value) if isinstance(value, str) else value
