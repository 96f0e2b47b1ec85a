"""One plan with one balancing and its hyperparameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin._distillation import Distillation

STATIC = "static"
"""The balance of a candidate that says nothing else: each loss has a weight that stays."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a trial trains and measures.

    Attributes:
        plan: which tasks share which units.
        loss_weights: a weight a task; None leaves it to the run file.
        learning_rate: None leaves it to the run file.
        backbone: a timm name; None leaves it to the run file.
        balancer: name of the balancer; ``"static"`` leaves it to the run file.
        distillation: what is learnt from features besides; None leaves it to the run file.
        attention: whether tasks that share have a gate on each feature level; False leaves
            it to the run file.
    """

    plan: SharingPlan
    loss_weights: Mapping[str, float] | None = None
    learning_rate: float | None = None
    backbone: str | None = field(default=None)
    balancer: str = STATIC
    distillation: Distillation | None = None
    attention: bool = False

    def __post_init__(self) -> None:
        if self.loss_weights is not None:
            ordered = MappingProxyType(dict(sorted(self.loss_weights.items())))
            object.__setattr__(self, "loss_weights", ordered)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that equal candidates, and only they, have in common."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

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
        """The same candidate with what it left open filled in."""
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
        """A JSON-ready form; :meth:`from_json` reads it back."""
        # What is plain is left out, so that candidates of before there was a choice keep
        # their digest.
        chosen: dict[str, Any] = {}
        if self.balancer != STATIC:
            chosen["balancer"] = self.balancer
        if self.distillation is not None:
            chosen["distillation"] = self.distillation.to_json()
        if self.attention:
            chosen["attention"] = True
        return {
            "plan": self.plan.to_json(),
            "loss_weights": None if self.loss_weights is None else dict(self.loss_weights),
            "learning_rate": self.learning_rate,
            "backbone": self.backbone,
            **chosen,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Candidate:
        """The candidate that :meth:`to_json` wrote.

        Raises:
            PlanError: the plan or the knowledge in it is illegal.
        """
        distillation = value.get("distillation")
        return cls(
            SharingPlan.from_json(value["plan"]),
            value["loss_weights"],
            value["learning_rate"],
            value["backbone"],
            value.get("balancer", STATIC),
            None if distillation is None else Distillation.from_json(distillation),
            value.get("attention", False),
        )
