"""What tasks learn from features, besides their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mtlsearch.errors import PlanError

DistillationKind = Literal["baseline", "mutual"]


@dataclass(frozen=True, slots=True)
class Distillation:
    """A term ``alpha * ||f - g||^2`` beside each task's loss: its feature against a target.

    Attributes:
        kind: where targets come from: ``"distil"`` from the trained ``independent`` network
            of the task (Li and Bilen 2020), ``"mutual"`` from the other tasks of the same
            network while it is trained.
        alpha: what the term counts for, beside losses of weight 1.
    """

    kind: DistillationKind
    alpha: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form; :meth:`from_json` reads it back."""
        return {"kind": self.kind, "alpha": self.alpha}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Distillation:
        """What :meth:`to_json` wrote.

        Raises:
            PlanError: there is no such kind.
        """
        if value["kind"] not in get_args(DistillationKind):
            raise PlanError(
                f"there is no knowledge of the kind {value['kind']!r}",
                allowed=get_args(DistillationKind),
            )
        return cls(value["kind"], float(value["alpha"]))

    def __str__(self) -> str:
        """``distil 0.1``: every digit, so that nothing is lost in a CSV."""
        return f"{self.kind} {self.alpha!r}"
