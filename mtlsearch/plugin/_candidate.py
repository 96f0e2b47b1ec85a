"""One plan with one balancing and its hyperparameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mtlsearch.plan import SharingPlan

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
        balance: name of the balancer; ``"static"`` leaves it to the run file.
    """

    plan: SharingPlan
    loss_weights: Mapping[str, float] | None = None
    learning_rate: float | None = None
    backbone: str | None = field(default=None)
    balance: str = STATIC

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
        balance: str = STATIC,
    ) -> Candidate:
        """The same candidate with what it left open filled in."""
        return replace(
            self,
            loss_weights=self.loss_weights or loss_weights,
            learning_rate=self.learning_rate or learning_rate,
            backbone=self.backbone or backbone,
            balance=balance if self.balance == STATIC else self.balance,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form; :meth:`from_json` reads it back."""
        # What is static is left out, so that candidates of before there was a choice keep
        # their digest.
        balance = {} if self.balance == STATIC else {"balance": self.balance}
        return {
            "plan": self.plan.to_json(),
            "loss_weights": None if self.loss_weights is None else dict(self.loss_weights),
            "learning_rate": self.learning_rate,
            "backbone": self.backbone,
            **balance,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Candidate:
        """The candidate that :meth:`to_json` wrote.

        Raises:
            PlanError: the plan in it is illegal.
        """
        return cls(
            SharingPlan.from_json(value["plan"]),
            value["loss_weights"],
            value["learning_rate"],
            value["backbone"],
            value.get("balance", STATIC),
        )
