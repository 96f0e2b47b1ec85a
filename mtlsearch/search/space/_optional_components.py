"""Optional components as searched dimensions: distillation and attention."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from mtlsearch.config import DistillationEntry
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Distillation, Suggest

Params = dict[str, int | float | str]

WITHOUT = "without"
GATES = "gates"

Kind = Literal["none", "baseline", "mutual"]


@dataclass(frozen=True, slots=True)
class OptionalComponents:
    """Choice of distillation and attention per candidate.

    Attention requires that tasks share a unit. Mutual distillation requires that tasks differ
    in some unit. Other candidates get neither, since they would equal another candidate.

    Attributes:
        distillation_options: kinds of distillation to choose from; ``none`` comes first if there
            are several.
        attention_options: whether heads have attention gates: one option or both.
    """

    distillation_options: tuple[DistillationEntry, ...]
    attention_options: tuple[bool, ...]

    @property
    def is_finite(self) -> bool:
        """Whether all params are names, not numbers."""
        return not any(isinstance(entry.alpha, tuple) for entry in self.distillation_options)

    def enumerate(self) -> Iterator[Params]:
        """Yield all params; some of them give equal candidates for some plans.

        Yields:
            Value by parameter name.
        """
        for entry, has_attention in product(self.distillation_options, self.attention_options):
            attention = GATES if has_attention else WITHOUT
            yield {"distillation": entry.kind, "attention": attention}

    def count(self, plan: SharingPlan | None = None) -> int:
        """Return how many different candidates the components make of one plan.

        Args:
            plan: the plan; None for a plan that allows all components.

        Returns:
            Number of candidates, at least 1.
        """
        if plan is None:
            return len(self.distillation_options) * len(self.attention_options)
        kinds = {self._kind_for(plan, entry.kind) for entry in self.distillation_options}
        return len(kinds) * (len(self.attention_options) if plan.shares else 1)

    def distillation(self, suggest: Suggest, candidate: Candidate) -> Distillation | None:
        """Choose the distillation of a candidate; keep the one that its search space chose.

        Args:
            suggest: source of the params.
            candidate: what the search space proposed.

        Returns:
            The distillation; None for none.
        """
        if candidate.distillation is not None:
            return candidate.distillation
        entry = self.distillation_options[0]
        if len(self.distillation_options) > 1:
            kinds: list[str] = [option.kind for option in self.distillation_options]
            entry = self.distillation_options[
                kinds.index(suggest.suggest_categorical("distillation", kinds))
            ]
        kind = self._kind_for(candidate.plan, entry.kind)
        if kind == "none":
            return None
        if not isinstance(entry.alpha, tuple):
            return Distillation(kind, entry.alpha)
        low, high = entry.alpha
        return Distillation(kind, suggest.suggest_float(f"alpha_{kind}", low, high, log=True))

    def attention(self, suggest: Suggest, candidate: Candidate) -> bool:
        """Choose whether a candidate has attention; keep what its search space chose.

        Args:
            suggest: source of the params.
            candidate: what the search space proposed.

        Returns:
            True if the heads have attention gates.
        """
        if candidate.attention:
            return True
        has_attention = self.attention_options[0]
        if len(self.attention_options) > 1:
            has_attention = suggest.suggest_categorical("attention", (WITHOUT, GATES)) == GATES
        return has_attention and candidate.plan.shares

    def with_default(self, candidate: Candidate) -> Candidate:
        """Return a candidate with the first option of each component that its plan allows.

        Args:
            candidate: a candidate without components.

        Returns:
            The candidate, with the geometric mean of a range of ``alpha``.
        """
        entry = self.distillation_options[0]
        kind = self._kind_for(candidate.plan, entry.kind)
        alpha = math.sqrt(math.prod(entry.alpha)) if isinstance(entry.alpha, tuple) else entry.alpha
        return replace(
            candidate,
            distillation=None if kind == "none" else Distillation(kind, alpha),
            attention=self.attention_options[0] and candidate.plan.shares,
        )

    def params(self, candidate: Candidate) -> Params | None:
        """Return the params that give a candidate its components.

        Args:
            candidate: a complete candidate.

        Returns:
            Value by parameter name; None if no params give these components.
        """
        distillation = self._distillation_params(candidate)
        attention = self._attention_params(candidate)
        return None if distillation is None or attention is None else {**distillation, **attention}

    def _distillation_params(self, candidate: Candidate) -> Params | None:
        distillation = candidate.distillation
        kind = "none" if distillation is None else distillation.kind
        # Several kinds may be equal for a plan. The first one is used.
        entries = [
            entry
            for entry in self.distillation_options
            if self._kind_for(candidate.plan, entry.kind) == kind
        ]
        if not entries:
            return None
        entry = entries[0]
        params: Params = {"distillation": entry.kind} if len(self.distillation_options) > 1 else {}
        if distillation is None:
            return params
        alpha = distillation.alpha
        if not isinstance(entry.alpha, tuple):
            return params if alpha == entry.alpha else None
        low, high = entry.alpha
        return {**params, f"alpha_{kind}": alpha} if low <= alpha <= high else None

    def _attention_params(self, candidate: Candidate) -> Params | None:
        has_attention = candidate.attention
        if not candidate.plan.shares:
            # It has no attention for every value of the param.
            if has_attention:
                return None
            has_attention = self.attention_options[0]
        if has_attention not in self.attention_options:
            return None
        if len(self.attention_options) == 1:
            return {}
        return {"attention": GATES if has_attention else WITHOUT}

    def _kind_for(self, plan: SharingPlan, kind: Kind) -> Kind:
        """Return the kind that a plan allows: mutual distillation needs tasks that differ."""
        is_hard = plan == SharingPlan.hard(plan.tasks, len(plan.rows))
        return "none" if kind == "mutual" and (len(plan.tasks) == 1 or is_hard) else kind
