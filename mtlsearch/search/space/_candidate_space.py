"""What a run may propose: the space plugin's plans with the run file's own choices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from optuna.trial import FixedTrial

from mtlsearch.affinity import Affinity
from mtlsearch.config import LimitsConfig, SearchConfig
from mtlsearch.plan import SharingPlan, UnitSpec
from mtlsearch.plugin import STATIC, Candidate, SearchSpace, Suggest
from mtlsearch.results import Baseline
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search.space._limits import ResourceLimits, add_limits
from mtlsearch.search.space._loss_weights import encode_weights, suggest_weights
from mtlsearch.search.space._optional_components import OptionalComponents, Params

ENDS = (SharingPlan.independent, SharingPlan.hard)
"""The plans between which all others lie."""

MAX_ENUMERATED = 10_000
"""Candidates of a space that is still compared as a whole before each trial."""


@dataclass(frozen=True, slots=True)
class CandidateSpace:
    """Complete candidates, each decided by answers to named questions.

    Attributes:
        space: proposes the plan, and more if it likes.
        config: what else is searched.
        tasks: task names, sorted.
        backbones: timm names to choose from; baselines use the first.
        learning_rate: the rate where none is searched.
        units_of: a backbone's units.
        only: plans that may be proposed; None for all that the space has.
        prior: how the tasks get on, by which the first proposal goes; None is not known.
        limits: what a network may cost; None for whatever it likes.
    """

    space: SearchSpace[Any]
    config: SearchConfig
    tasks: tuple[str, ...]
    backbones: tuple[str, ...]
    learning_rate: float
    units_of: Callable[[str], Sequence[UnitSpec]]
    only: Collection[SharingPlan] | None = None
    prior: Affinity | None = None
    limits: ResourceLimits | None = None

    @classmethod
    def of(
        cls,
        space: SearchSpace[Any],
        evaluator: Evaluator,
        config: SearchConfig | None = None,
        *,
        only: Collection[SharingPlan] | None = None,
        budget: LimitsConfig | None = None,
    ) -> CandidateSpace:
        """A space for an evaluator that needs no run file, such as a table or a function."""
        found = cls(
            space=space,
            config=config or SearchConfig.model_validate({}),
            tasks=evaluator.tasks,
            backbones=("any",),
            learning_rate=1.0,
            units_of=evaluator.units,
            only=only,
        )
        return add_limits(found, budget or LimitsConfig(), evaluator.cost)

    def propose(self, suggest: Suggest) -> Candidate:
        """A candidate with nothing left open."""
        backbone = self.backbones[0]
        if len(self.backbones) > 1:
            backbone = suggest.suggest_categorical("backbone", self.backbones)
        plans = _Prefixed(suggest, self._prefix(backbone))
        candidate = self.space.propose(plans, self.units_of(backbone), self.tasks)
        return self._complete(candidate, suggest, backbone)

    def listed(self) -> tuple[Candidate, ...] | None:
        """Every candidate, where there are few enough and the space lists them."""
        count = self.count
        if count is None or count > MAX_ENUMERATED:
            return None
        found: dict[str, Candidate] = {}
        for name in self.backbones:
            candidates = self.space.candidates(self.units_of(name), self.tasks)
            if candidates is None:
                return None
            for at, balancer, more in product(
                candidates, self._balancer_names, self._additions.listed()
            ):
                candidate = self._complete(at, FixedTrial({"balancer": balancer, **more}), name)
                found[candidate.digest] = candidate  # what shares nothing comes once
        return tuple(candidate for candidate in found.values() if self.allows(candidate))

    def allows(self, candidate: Candidate) -> bool:
        """Whether its plan is one of those that may be proposed, and within the budget."""
        if self.only is not None and candidate.plan not in self.only:
            return False
        return self.limits is None or self.limits.allows(candidate)

    def plans(self) -> list[Candidate] | None:
        """A candidate a plan and backbone, budget or not; None where there are too many to list.

        Unlike :meth:`listed`, this leaves weights, rate and balance aside: they cost nothing.
        """
        found: list[Candidate] = []
        for name in self.backbones:
            units = self.units_of(name)
            count = self.space.count(units, self.tasks)
            if count is None or count > MAX_ENUMERATED:
                return None
            candidates = self.space.candidates(units, self.tasks)
            if candidates is None:
                return None
            found += [replace(at, backbone=at.backbone or name) for at in candidates]
        return [at for at in found if self.only is None or at.plan in self.only]

    def baseline_candidate(self, baseline: Baseline) -> Candidate:
        """The ``independent`` or the ``hard`` candidate, equal weights."""
        units = len(self.units_of(self.backbones[0]))
        make = SharingPlan.independent if baseline == "independent" else SharingPlan.hard
        return Candidate(
            make(self.tasks, units),
            dict.fromkeys(self.tasks, 1.0),
            self.learning_rate,
            self.backbones[0],
        )

    def with_plan(self, plan: SharingPlan) -> Candidate | None:
        """A plan with whatever else baselines have; None if it may not be proposed."""
        backbone = self.backbones[0]
        candidate = Candidate(
            plan,
            self.fixed_weights,
            self.learning_rate,
            backbone,
            self._balancer_names[0] if plan.shares else STATIC,
        )
        known = self.space.encode(candidate, self.units_of(backbone), self.tasks)
        return None if known is None or not self.allows(candidate) else candidate

    def encode(self, candidate: Candidate) -> Params | None:
        """Answers with which :meth:`propose` gives this candidate; None if none do."""
        backbone = candidate.backbone or self.backbones[0]
        plan = self.space.encode(candidate, self.units_of(backbone), self.tasks)
        if plan is None:
            return None
        params: Params = {f"{self._prefix(backbone)}{name}": at for name, at in plan.items()}
        if len(self.backbones) > 1:
            params["backbone"] = backbone
        for more in (
            self._balancer_params(candidate),
            self._additions.params(candidate),
            self._loss_weight_params(candidate),
            self._learning_rate_params(candidate),
        ):
            if more is None:
                return None
            params.update(more)
        return params

    @property
    def count(self) -> int | None:
        """How many candidates there are; None where numbers are continuous or unknown."""
        if self.config.loss_weights == "search" or self.config.learning_rate is not None:
            return None
        if not self._additions.counted:
            return None
        counts = [self._count(name) for name in self.backbones]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def _complete(self, candidate: Candidate, suggest: Suggest, backbone: str) -> Candidate:
        balancer = self._balancer(suggest, candidate)
        return candidate.with_defaults(
            loss_weights=self._weights(suggest, candidate, balancer),
            learning_rate=self._rate(suggest, candidate),
            backbone=backbone,
            balancer=balancer,
            distillation=self._additions.distillation(suggest, candidate),
            attention=self._additions.attention(suggest, candidate),
        )

    def _count(self, backbone: str) -> int | None:
        units = self.units_of(backbone)
        plans = self.space.count(units, self.tasks)
        if plans is None:
            return None
        if len(self.tasks) == 1:
            return plans * self._ways(SharingPlan.hard(self.tasks, len(units)))
        count = plans * self._ways()
        # A plan that shares nothing is one candidate, whatever the balance. With skips there
        # could be others than this one, but no backbone has an image pass by its first unit.
        # One that shares all has nothing to learn from other tasks.
        for plan in {make(self.tasks, len(units)) for make in ENDS}:
            there = self.space.encode(Candidate(plan), units, self.tasks) is not None
            count -= there * (self._ways() - self._ways(plan))
        return count

    def _ways(self, plan: SharingPlan | None = None) -> int:
        """How many candidates one plan makes: most plans, or this one."""
        alone = plan is not None and not plan.shares
        return (1 if alone else len(self._balancer_names)) * self._additions.count(plan)

    @property
    def _additions(self) -> OptionalComponents:
        return OptionalComponents(self.config)

    @property
    def _balancer_names(self) -> tuple[str, ...]:
        return tuple(entry.kind for entry in self.config.balancers)

    def _balancer(self, suggest: Suggest, candidate: Candidate) -> str:
        """What balances a candidate; nothing that is shared is nothing to balance."""
        if candidate.balancer != STATIC:
            return candidate.balancer
        names = self._balancer_names
        name = names[0] if len(names) == 1 else suggest.suggest_categorical("balancer", names)
        return name if candidate.plan.shares else STATIC

    def _prefix(self, backbone: str) -> str:
        return f"{backbone}/" if len(self.backbones) > 1 else ""

    def _balancer_params(self, candidate: Candidate) -> Mapping[str, str] | None:
        names, name = self._balancer_names, candidate.balancer
        if not candidate.plan.shares:
            # It is static, whatever is answered.
            if name != STATIC:
                return None
            name = STATIC if STATIC in names else names[0]
        if name not in names:
            return None
        return {"balancer": name} if len(names) > 1 else {}

    def _loss_weight_params(self, candidate: Candidate) -> Mapping[str, float] | None:
        weights = candidate.loss_weights
        if weights is None:
            return {}
        if self.config.loss_weights == "search" and candidate.balancer == STATIC:
            return encode_weights(weights, self.tasks)
        return {} if weights == self.fixed_weights else None

    def _learning_rate_params(self, candidate: Candidate) -> Mapping[str, float] | None:
        rate = candidate.learning_rate
        if self.config.learning_rate is None:
            return {} if rate in (None, self.learning_rate) else None
        low, high = self.config.learning_rate
        return None if rate is None or not low <= rate <= high else {"learning_rate": rate}

    @property
    def fixed_weights(self) -> Mapping[str, float]:
        """A weight a task where none are searched: the run file's, or equal ones."""
        given = self.config.loss_weights
        return dict.fromkeys(self.tasks, 1.0) if isinstance(given, str) else given

    def _weights(
        self, suggest: Suggest, candidate: Candidate, balancer: str
    ) -> Mapping[str, float]:
        if candidate.loss_weights is not None:
            return candidate.loss_weights
        if self.config.loss_weights == "search" and balancer == STATIC:
            return suggest_weights(suggest, self.tasks)
        return self.fixed_weights

    def _rate(self, suggest: Suggest, candidate: Candidate) -> float:
        if candidate.learning_rate is not None or self.config.learning_rate is None:
            return candidate.learning_rate or self.learning_rate
        low, high = self.config.learning_rate
        return suggest.suggest_float("learning_rate", low, high, log=True)


@dataclass(frozen=True, slots=True)
class _Prefixed:
    """Choices whose names start with the backbone: its units are not another's."""

    suggest: Suggest
    prefix: str

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return self.suggest.suggest_int(f"{self.prefix}{name}", low, high)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self.suggest.suggest_float(f"{self.prefix}{name}", low, high, log=log)

    def suggest_categorical(self, name: str, suggest: Sequence[str]) -> str:
        return self.suggest.suggest_categorical(f"{self.prefix}{name}", suggest)
