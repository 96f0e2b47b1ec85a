"""Candidate space: a search space with all searched dimensions, within the limits; proposals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial

from mtlsearch.affinity import Affinity
from mtlsearch.config import SearchConfig
from mtlsearch.plan import SharingPlan, UnitSpec, extend_heads, extend_independent
from mtlsearch.plugin import Candidate, SearchSpace, Suggest
from mtlsearch.results import Baseline
from mtlsearch.search.space._dimensions import (
    BalancerDimension,
    LearningRateDimension,
    LossWeightDimension,
)
from mtlsearch.search.space._limits import ResourceLimits
from mtlsearch.search.space._optional_components import OptionalComponents, Params

MAX_ENUMERATED = 10_000
"""Largest candidate space that is enumerated."""


@dataclass(frozen=True)
class CandidateSpace:
    """Complete candidates, each of which is defined by params.

    :func:`build_candidate_space` creates it.

    Attributes:
        space: the search space, which proposes the plan and may set other fields.
        config: the ``search`` part of the run file.
        tasks: task names, sorted.
        backbones: timm names to choose from; baselines use the first.
        learning_rate: the learning rate if none is searched.
        units_of: returns the units of a backbone.
        allowed_plans: plans that can be proposed; None for all of the search space.
        limits: limits of parameters, FLOPs and latency; None for no limits.
        affinity: task affinity for the warm start; None for no warm start.
        kept_plan: plan of the kept network, which all plans extend; None if all tasks are trained.
    """

    space: SearchSpace[Any]
    config: SearchConfig
    tasks: tuple[str, ...]
    backbones: tuple[str, ...]
    learning_rate: float
    units_of: Callable[[str], Sequence[UnitSpec]]
    allowed_plans: Collection[SharingPlan] | None = None
    limits: ResourceLimits | None = None
    affinity: Affinity | None = None
    kept_plan: SharingPlan | None = None

    def propose(self, suggest: Suggest) -> Candidate:
        """Create a candidate from params.

        Args:
            suggest: source of the params.

        Returns:
            A candidate with all fields set.
        """
        backbone = self.backbones[0]
        if len(self.backbones) > 1:
            backbone = suggest.suggest_categorical("backbone", self.backbones)
        prefixed = _Prefixed(suggest, self._prefix(backbone))
        candidate = self.space.propose(prefixed, self.units_of(backbone), self.tasks)
        return self._complete(candidate, suggest, backbone)

    def encode(self, candidate: Candidate) -> Params | None:
        """Invert :meth:`propose`.

        Args:
            candidate: a complete candidate.

        Returns:
            Value by parameter name; None if no params give this candidate.
        """
        backbone = candidate.backbone or self.backbones[0]
        plan_params = self.space.encode(candidate, self.units_of(backbone), self.tasks)
        if plan_params is None:
            return None
        prefix = self._prefix(backbone)
        params: Params = {f"{prefix}{name}": value for name, value in plan_params.items()}
        if len(self.backbones) > 1:
            params["backbone"] = backbone
        for dimension_params in (
            self._balancers.params(candidate),
            self._components.params(candidate),
            self._loss_weights.params(candidate),
            self._learning_rates.params(candidate),
        ):
            if dimension_params is None:
                return None
            params.update(dimension_params)
        return params

    def enumerate(self) -> tuple[Candidate, ...] | None:
        """Return all candidates within the limits of parameters and FLOPs.

        Latencies are not considered: they are unknown before a candidate is measured.

        Returns:
            Each candidate once; None if the space is too large or not enumerable.
        """
        return self._enumerated

    def enumerate_plans(self) -> tuple[Candidate, ...] | None:
        """Return one candidate per allowed plan and backbone, within the limits or not.

        Loss weights, learning rate and balancer are not set, since they do not change the cost.

        Returns:
            The candidates; None if the space is too large or not enumerable.
        """
        return self._enumerated_plans

    def is_feasible(self, candidate: Candidate) -> bool:
        """Return whether a candidate can be proposed.

        Args:
            candidate: a complete candidate.

        Returns:
            True if its plan is allowed and its known costs are within the limits.
        """
        if not self._is_allowed(candidate.plan):
            return False
        return self.limits is None or self.limits.allows(candidate)

    def baseline_candidate(self, baseline: Baseline) -> Candidate:
        """Return the candidate of a baseline.

        In an extension, ``independent`` gives each new task a network of its own. ``hard`` gives it
        a head on the deepest features of the kept network, see
        :func:`~mtlsearch.plan.extend_heads`.

        Args:
            baseline: ``"independent"`` or ``"hard"``.

        Returns:
            A candidate with equal loss weights and the first backbone.
        """
        num_units = len(self.units_of(self.backbones[0]))
        if self.kept_plan is not None:
            extend = extend_independent if baseline == "independent" else extend_heads
            plan = extend(self.kept_plan, self.tasks)
            weights = dict.fromkeys(self.tasks, 1.0)
            return Candidate(plan, weights, self.learning_rate, self.backbones[0])
        make = SharingPlan.independent if baseline == "independent" else SharingPlan.hard
        return Candidate(
            make(self.tasks, num_units),
            dict.fromkeys(self.tasks, 1.0),
            self.learning_rate,
            self.backbones[0],
        )

    def candidate_of(self, plan: SharingPlan) -> Candidate | None:
        """Return the candidate of a plan with the default of every other dimension.

        Args:
            plan: a plan of the first backbone.

        Returns:
            The candidate; None if it cannot be proposed.
        """
        backbone = self.backbones[0]
        candidate = self._components.with_default(
            Candidate(
                plan,
                self.fixed_weights,
                self.learning_rate,
                backbone,
                self._balancers.default(plan),
            )
        )
        params = self.space.encode(candidate, self.units_of(backbone), self.tasks)
        return None if params is None or not self.is_feasible(candidate) else candidate

    @property
    def fixed_weights(self) -> dict[str, float]:
        """Loss weight by task if none are searched: those of the run file, or 1."""
        return dict(self._loss_weights.fixed)

    @cached_property
    def size(self) -> int | None:
        """Number of candidates, within the limits or not; None if infinite or unknown."""
        if self._loss_weights.is_searched or self._learning_rates.bounds is not None:
            return None
        if not self._components.is_finite:
            return None
        sizes = [self._size_of(backbone) for backbone in self.backbones]
        known_sizes = [size for size in sizes if size is not None]
        return sum(known_sizes) if len(known_sizes) == len(sizes) else None

    @cached_property
    def _enumerated(self) -> tuple[Candidate, ...] | None:
        if self.size is None or self.size > MAX_ENUMERATED:
            return None
        by_digest: dict[str, Candidate] = {}
        for backbone in self.backbones:
            candidates = self.space.candidates(self.units_of(backbone), self.tasks)
            if candidates is None:
                return None
            for candidate, balancer, params in product(
                candidates, self._balancers.names, self._components.enumerate()
            ):
                fixed = FixedTrial({"balancer": balancer, **params})
                complete = self._complete(candidate, fixed, backbone)
                by_digest[complete.digest] = complete  # equal candidates once
        return tuple(candidate for candidate in by_digest.values() if self._is_small(candidate))

    @cached_property
    def _enumerated_plans(self) -> tuple[Candidate, ...] | None:
        plans: list[Candidate] = []
        for backbone in self.backbones:
            units = self.units_of(backbone)
            count = self.space.count(units, self.tasks)
            if count is None or count > MAX_ENUMERATED:
                return None
            candidates = self.space.candidates(units, self.tasks)
            if candidates is None:
                return None
            plans += [
                replace(candidate, backbone=candidate.backbone or backbone)
                for candidate in candidates
            ]
        return tuple(candidate for candidate in plans if self._is_allowed(candidate.plan))

    def _is_allowed(self, plan: SharingPlan) -> bool:
        return self.allowed_plans is None or plan in self.allowed_plans

    def _is_small(self, candidate: Candidate) -> bool:
        """Return whether a plan is allowed and within the limits of parameters and FLOPs."""
        if not self._is_allowed(candidate.plan):
            return False
        return self.limits is None or not self.limits.over_cost(self.limits.cost_of(candidate))

    def _complete(self, candidate: Candidate, suggest: Suggest, backbone: str) -> Candidate:
        balancer = self._balancers.suggest(suggest, candidate)
        return candidate.with_defaults(
            loss_weights=self._loss_weights.suggest(suggest, candidate, balancer),
            learning_rate=self._learning_rates.suggest(suggest, candidate),
            backbone=backbone,
            balancer=balancer,
            distillation=self._components.distillation(suggest, candidate),
            attention=self._components.attention(suggest, candidate),
        )

    def _size_of(self, backbone: str) -> int | None:
        units = self.units_of(backbone)
        num_plans = self.space.count(units, self.tasks)
        if num_plans is None:
            return None
        if len(self.tasks) == 1:
            return num_plans * self._candidates_per_plan(SharingPlan.hard(self.tasks, len(units)))
        size = num_plans * self._candidates_per_plan()
        # These two plans allow fewer candidates than others: ``independent`` shares nothing to
        # balance, and the tasks of ``hard`` cannot learn from each other. A third plan that
        # shares nothing would need a skipped first unit, which no backbone has.
        for make in (SharingPlan.independent, SharingPlan.hard):
            plan = make(self.tasks, len(units))
            if self.space.encode(Candidate(plan), units, self.tasks) is not None:
                size -= self._candidates_per_plan() - self._candidates_per_plan(plan)
        return size

    def _candidates_per_plan(self, plan: SharingPlan | None = None) -> int:
        return self._balancers.count(plan) * self._components.count(plan)

    def _prefix(self, backbone: str) -> str:
        return f"{backbone}/" if len(self.backbones) > 1 else ""

    @cached_property
    def _balancers(self) -> BalancerDimension:
        return BalancerDimension(tuple(entry.kind for entry in self.config.balancers))

    @cached_property
    def _components(self) -> OptionalComponents:
        config = self.config
        return OptionalComponents(config.distillation_options, config.attention_options)

    @cached_property
    def _loss_weights(self) -> LossWeightDimension:
        return LossWeightDimension(self.config.loss_weights, self.tasks)

    @cached_property
    def _learning_rates(self) -> LearningRateDimension:
        return LearningRateDimension(self.learning_rate, self.config.learning_rate)


@dataclass(frozen=True, slots=True)
class _Prefixed:
    """Params whose names start with the backbone, since backbones differ in their units."""

    suggest: Suggest
    prefix: str

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return self.suggest.suggest_int(f"{self.prefix}{name}", low, high)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self.suggest.suggest_float(f"{self.prefix}{name}", low, high, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        return self.suggest.suggest_categorical(f"{self.prefix}{name}", choices)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Candidate with the params that Optuna stores for it.

    Attributes:
        candidate: what the trial trains.
        params: value by parameter name; empty if no params give the candidate.
        distributions: distribution by parameter name.
        baseline: which baseline the candidate is; None if it is not a baseline.
    """

    candidate: Candidate
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    baseline: Baseline | None = None


def propose_baseline(space: CandidateSpace, baseline: Baseline) -> Proposal:
    """Return the proposal of a baseline, with params if the space can express it.

    Args:
        space: the candidate space.
        baseline: ``"independent"`` or ``"hard"``.

    Returns:
        The proposal.
    """
    return proposal_of(space, space.baseline_candidate(baseline), baseline)


def proposal_of(
    space: CandidateSpace, candidate: Candidate, baseline: Baseline | None = None
) -> Proposal:
    """Return the proposal of a candidate, with params if the space can express it.

    Args:
        space: the candidate space.
        candidate: a complete candidate.
        baseline: which baseline the candidate is.

    Returns:
        The proposal.
    """
    params = space.encode(candidate)
    if params is None:
        return Proposal(candidate, baseline=baseline)
    fixed = FixedTrial(params)
    space.propose(fixed)
    return Proposal(candidate, fixed.params, fixed.distributions, baseline)
