"""Candidate: a sharing plan with the hyperparameters of its training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from mtlsearch.errors import PlanError, describe_invalid
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin._distillation import Distillation

STATIC = "static"
"""Balancer of a candidate that chooses none: each loss keeps a fixed weight."""


def _read_plan(value: Any) -> SharingPlan:
    return value if isinstance(value, SharingPlan) else SharingPlan.from_json(value)


# How pydantic reads and writes values that are not its own.
_Plan = Annotated[SharingPlan, PlainValidator(_read_plan), PlainSerializer(SharingPlan.to_json)]
_LossWeights = Annotated[Mapping[str, float], PlainSerializer(dict)]

# Absent components are left out of the JSON form, so that a new one changes no digest.
_Balancer = Annotated[str, Field(exclude_if=lambda name: name == STATIC)]
_Distillation = Annotated[Distillation | None, Field(exclude_if=lambda value: value is None)]
_Attention = Annotated[bool, Field(exclude_if=lambda value: not value)]
_OriginByTask = Annotated[
    Mapping[str, str] | None,
    Field(exclude_if=lambda value: value is None),
    PlainSerializer(lambda value: None if value is None else dict(value)),
]


class _WithDigest:
    """Place for a digest that is computed once: a search compares those of all trials."""

    __slots__ = ("_digest",)
    _digest: str


@dataclass(frozen=True, slots=True)
class Candidate(_WithDigest):
    """What a trial trains: a sharing plan, loss weights, a balancer and optional components.

    A search space returns candidates from :meth:`SearchSpace.propose
    <mtlsearch.plugin.SearchSpace.propose>`. A field that keeps its default is filled in from
    the run file, so most spaces set only the plan. Equal candidates have equal digests.

    Attributes:
        plan: which tasks share which units.
        loss_weights: weight of each task's loss, by task.
        learning_rate: peak learning rate of the optimizer.
        backbone: timm model name, such as ``"resnet18"``.
        balancer: name of the balancer; ``"static"`` is the default and means none.
        distillation: auxiliary loss on features.
        attention: whether tasks that share have an attention gate per feature level.
        origins: in an extension, the task whose weights the copies of a new task start from, by new
            task; None or absent: the weights of the backbone.
    """

    plan: _Plan
    loss_weights: _LossWeights | None = None
    learning_rate: float | None = None
    backbone: str | None = None
    balancer: _Balancer = STATIC
    distillation: _Distillation = None
    attention: _Attention = False
    origins: _OriginByTask = None

    def __post_init__(self) -> None:
        # 1 and 1.0 are equal, so they must not give two digests.
        if self.learning_rate is not None:
            object.__setattr__(self, "learning_rate", float(self.learning_rate))
        if self.loss_weights is not None:
            weights = {task: float(weight) for task, weight in sorted(self.loss_weights.items())}
            object.__setattr__(self, "loss_weights", MappingProxyType(weights))
        if self.origins is not None:
            origins = MappingProxyType(dict(sorted(self.origins.items()))) or None
            object.__setattr__(self, "origins", origins)

    @property
    def trained_tasks(self) -> tuple[str, ...]:
        """The tasks with losses and metrics, sorted: all of the plan but those that are kept."""
        return self.plan.tasks if self.loss_weights is None else tuple(self.loss_weights)

    def __str__(self) -> str:
        """Return the plan, with the origins of new tasks."""
        if not self.origins:
            return str(self.plan)
        starts = ", ".join(f"{task} from {origin}" for task, origin in self.origins.items())
        return f"{self.plan}; {starts}"

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of a SHA-256 over the JSON form, which identify it."""
        if not hasattr(self, "_digest"):
            text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            object.__setattr__(self, "_digest", digest)
        return self._digest

    def with_defaults(
        self,
        *,
        loss_weights: Mapping[str, float],
        learning_rate: float,
        backbone: str,
        balancer: str = STATIC,
        distillation: Distillation | None = None,
        attention: bool = False,
    ) -> Candidate:
        """Return a copy in which every field that has its default is filled in.

        Args:
            loss_weights: weight of each task's loss, by task.
            learning_rate: peak learning rate.
            backbone: timm model name.
            balancer: name of the balancer.
            distillation: auxiliary loss on features.
            attention: whether to add attention gates.

        Returns:
            The completed candidate.
        """
        return replace(
            self,
            loss_weights=self.loss_weights or loss_weights,
            learning_rate=self.learning_rate or learning_rate,
            backbone=self.backbone or backbone,
            balancer=balancer if self.balancer == STATIC else self.balancer,
            distillation=self.distillation or distillation,
            attention=self.attention or attention,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without optional components that are absent.

        Returns:
            A dictionary that :meth:`from_json` reads.
        """
        return _ADAPTER.dump_python(self)  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, value: object) -> Candidate:
        """Return the candidate that :meth:`to_json` wrote.

        Args:
            value: the JSON form.

        Returns:
            The candidate.

        Raises:
            PlanError: a key is missing or its value is invalid, or the plan is illegal.
        """
        try:
            return _ADAPTER.validate_python(value)
        except ValidationError as error:
            raise PlanError(f"the candidate is invalid: {describe_invalid(error)}") from error


_ADAPTER = TypeAdapter(Candidate)
