"""Check that a candidate space contains a feasible candidate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import optuna
from optuna.samplers import RandomSampler

from mtlsearch.errors import ConfigError
from mtlsearch.plan import Cost
from mtlsearch.plugin import Candidate
from mtlsearch.search.space._candidate_space import CandidateSpace
from mtlsearch.search.space._limits import ResourceLimits, format_count

NUM_SAMPLES = 500
"""Candidates that are sampled from a space that is not enumerable, besides the hard plan."""


def check_feasible(space: CandidateSpace) -> None:
    """Check that a candidate is within the limits of parameters and FLOPs.

    All plans of an enumerable space are checked. Of another space, the hard plan and random
    candidates are checked: no plan without skips costs less than the hard plan.

    Args:
        space: the candidate space.

    Raises:
        ConfigError: no candidate is feasible; the message contains the lowest cost.
    """
    limits = space.limits
    if limits is None or (limits.params is None and limits.flops is None):
        return
    costs: list[Cost] = []
    for candidate in _candidates(space):
        cost = limits.cost_of(candidate)
        if not limits.over_cost(cost):
            return
        costs.append(cost)
    if costs:
        raise _infeasible(limits, costs, is_enumerated=space.enumerate_plans() is not None)


def _candidates(space: CandidateSpace) -> Iterator[Candidate]:
    plans = space.enumerate_plans()
    if plans is not None:
        yield from plans
        return
    hard = space.baseline_candidate("hard")
    if space.space.encode(hard, space.units_of(space.backbones[0]), space.tasks) is not None:
        yield hard
    yield from islice(_samples(space), NUM_SAMPLES)


def _samples(space: CandidateSpace) -> Iterator[Candidate]:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    while True:
        yield space.propose(study.ask())


def _infeasible(limits: ResourceLimits, costs: list[Cost], *, is_enumerated: bool) -> ConfigError:
    subject = "no candidate" if is_enumerated else f"none of {len(costs)} sampled candidates"
    keys = [key for key in ("params", "flops") if getattr(limits, key) is not None]
    lowest = Cost(min(cost.parameters for cost in costs), min(cost.flops for cost in costs))
    sizes = [f"the smallest candidate has {_format_cost(lowest)}"]
    for baseline, candidate in limits.baselines.items():
        sizes.append(f"{baseline} has {_format_cost(limits.cost_of(candidate))}")
    return ConfigError(
        f"{subject} of the search space is within the limits ({limits.describe()})",
        where=", ".join(limits.where("limits", key) for key in keys),
        allowed=sizes,
        next_step=f"raise the limits, or {_alternative(limits)}",
    )


def _alternative(limits: ResourceLimits) -> str:
    """Return another change: no plan without skips costs less than the hard plan."""
    if limits.over_cost(limits.cost_of(limits.baselines["hard"])):
        return "use a smaller backbone"
    return "use a search space that shares more"


def _format_cost(cost: Cost) -> str:
    return f"{format_count(cost.parameters)} params and {format_count(cost.flops)} FLOPs"
