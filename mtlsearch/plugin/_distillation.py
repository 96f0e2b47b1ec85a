"""Feature distillation as an optional component of a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DistillationKind = Literal["baseline", "mutual"]


@dataclass(frozen=True, slots=True)
class Distillation:
    """Auxiliary loss ``alpha * ||f - g||^2`` between a task's feature and its target.

    Attributes:
        kind: source of the targets. ``"baseline"``: the features of the trained
            ``independent`` baseline (Li and Bilen 2020). ``"mutual"``: the detached features
            of the other tasks in the same step (Zhang et al. 2018).
        alpha: factor of the auxiliary loss, ``alpha > 0``; task losses have a weight near 1.
    """

    kind: DistillationKind
    alpha: float

    def __str__(self) -> str:
        """Return such as ``baseline 0.1``, with every digit, so that a CSV loses nothing."""
        return f"{self.kind} {self.alpha!r}"
