"""What a candidate may have besides: knowledge between its tasks, and attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from mtlsearch.config import DistillationEntry, RunConfig, SearchConfig
from mtlsearch.errors import ConfigError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Distillation, Suggest

Params = dict[str, int | float | str]

WITHOUT = "without"
GATES = "gates"

Kind = Literal["none", "baseline", "mutual"]


@dataclass(frozen=True, slots=True)
class OptionalComponents:
    """Chooses knowledge and attention where they change what a plan trains.

    Attention is for plans that share something, mutual knowledge for those whose tasks are
    not all one: a candidate has neither otherwise, so that no training comes twice.

    Attributes:
        config: what is searched.
    """

    config: SearchConfig

    @property
    def counted(self) -> bool:
        """Whether all that can be chosen are names, no numbers."""
        return not any(isinstance(entry.alpha, tuple) for entry in self._options)

    def listed(self) -> Iterator[Params]:
        """All answers there are, of which a plan may not know all apart."""
        for entry, gated in product(self._options, self._gates):
            yield {"distillation": entry.kind, "attention": GATES if gated else WITHOUT}

    def count(self, plan: SharingPlan | None = None) -> int:
        """How many candidates they make of one; of most plans, or of this one."""
        if plan is None:
            return len(self._options) * len(self._gates)
        made = {self._kind_for(plan, entry.kind) for entry in self._options}
        return len(made) * (len(self._gates) if plan.shares else 1)

    def distillation(self, suggest: Suggest, candidate: Candidate) -> Distillation | None:
        """What a candidate learns from features; what the space has chosen stays."""
        if candidate.distillation is not None:
            return candidate.distillation
        entry = self._options[0]
        if len(self._options) > 1:
            kinds: list[str] = [at.kind for at in self._options]
            entry = self._options[kinds.index(suggest.suggest_categorical("distillation", kinds))]
        kind = self._kind_for(candidate.plan, entry.kind)
        if kind == "none":
            return None
        if not isinstance(entry.alpha, tuple):
            return Distillation(kind, entry.alpha)
        low, high = entry.alpha
        return Distillation(kind, suggest.suggest_float(f"alpha_{kind}", low, high, log=True))

    def attention(self, suggest: Suggest, candidate: Candidate) -> bool:
        """Whether a candidate's tasks have gates; what the space has chosen stays."""
        if candidate.attention:
            return True
        gated = self._gates[0]
        if len(self._gates) > 1:
            gated = suggest.suggest_categorical("attention", (WITHOUT, GATES)) == GATES
        return gated and candidate.plan.shares

    def params(self, candidate: Candidate) -> Params | None:
        """Answers with which these are chosen for a candidate; None if none do."""
        distillation, attention = (
            self._distillation_params(candidate),
            self._attention_params(candidate),
        )
        return None if distillation is None or attention is None else {**distillation, **attention}

    def _distillation_params(self, candidate: Candidate) -> Params | None:
        found = candidate.distillation
        kind = "none" if found is None else found.kind
        # Several kinds may come to the same for a plan; any of them will do.
        fitting = [at for at in self._options if self._kind_for(candidate.plan, at.kind) == kind]
        if not fitting:
            return None
        entry = fitting[0]
        params: Params = {"distillation": entry.kind} if len(self._options) > 1 else {}
        if found is None:
            return params
        if not isinstance(entry.alpha, tuple):
            return params if found.alpha == entry.alpha else None
        low, high = entry.alpha
        return {**params, f"alpha_{kind}": found.alpha} if low <= found.alpha <= high else None

    def _attention_params(self, candidate: Candidate) -> Params | None:
        gated = candidate.attention
        if not candidate.plan.shares:
            # It has no gates, whatever is answered.
            if gated:
                return None
            gated = self._gates[0]
        if gated not in self._gates:
            return None
        return {"attention": GATES if gated else WITHOUT} if len(self._gates) > 1 else {}

    def _kind_for(self, plan: SharingPlan, kind: Kind) -> Kind:
        alike = len(plan.tasks) == 1 or plan == SharingPlan.hard(plan.tasks, len(plan.rows))
        return "none" if kind == "mutual" and alike else kind

    @property
    def _options(self) -> tuple[DistillationEntry, ...]:
        return self.config.distillation_options

    @property
    def _gates(self) -> tuple[bool, ...]:
        return self.config.attention_options


def check_distillation_backbones(config: RunConfig, *, where: str) -> None:
    """Be sure that what teaches and what learns have features of one kind.

    Raises:
        ConfigError: they come from different backbones.
    """
    distils = any(entry.kind == "baseline" for entry in config.search.distillation_options)
    if distils and len(config.backbone.names) > 1:
        raise ConfigError(
            "knowledge 'distil' learns from the independent baseline's features, which are of "
            f"the backbone {config.backbone.names[0]} alone",
            where=where,
            next_step="name one backbone, or take distillation: mutual",
        )
