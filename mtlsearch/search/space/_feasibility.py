"""Whether a budget leaves anything to propose, found out before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import optuna
from optuna.samplers import RandomSampler

from mtlsearch.errors import ConfigError
from mtlsearch.plan import Cost
from mtlsearch.plugin import Candidate
from mtlsearch.search.space._candidate_space import CandidateSpace
from mtlsearch.search.space._limits import ResourceLimits, amount

DRAWN = 500
"""Candidates looked at of a space that cannot be listed, after the hard plan."""


def check_feasible(space: CandidateSpace) -> None:
    """Be sure that some candidate of the space is within its budget.

    Of a space that lists its plans all are looked at; of another one the hard plan, where it
    has it, which is the least that plans without skips can cost, and many draws.

    Raises:
        ConfigError: none is; it says the least that was found, and what the baselines cost.
    """
    budget = space.limits
    if budget is None or (budget.params is None and budget.flops is None):
        return
    costs: list[Cost] = []
    for candidate in _examples(space):
        cost = budget.cost_of(candidate)
        if not budget.over_cost(cost):
            return
        costs.append(cost)
    if costs:
        raise _no_room(budget, costs, listed=space.plans() is not None)


def _examples(space: CandidateSpace) -> Iterator[Candidate]:
    plans = space.plans()
    if plans is not None:
        yield from plans
        return
    hard = space.baseline_candidate("hard")
    if space.space.encode(hard, space.units_of(space.backbones[0]), space.tasks) is not None:
        yield hard
    yield from islice(_draws(space), DRAWN)


def _draws(space: CandidateSpace) -> Iterator[Candidate]:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    while True:
        yield space.propose(study.ask())


def _no_room(budget: ResourceLimits, costs: list[Cost], *, listed: bool) -> ConfigError:
    what = "no candidate" if listed else f"none of {len(costs)} candidates drawn"
    keys = [key for key in ("params", "flops") if getattr(budget, key) is not None]
    least = _sizes(min(at.parameters for at in costs), min(at.flops for at in costs))
    known = [f"the least there is has {least}"]
    known += [
        f"{baseline} has {_sizes(cost.parameters, cost.flops)}"
        for baseline, cost in (
            (baseline, budget.cost_of(at)) for baseline, at in budget.baselines.items()
        )
    ]
    return ConfigError(
        f"{what} of the search space is within the budget ({budget.describe()})",
        where=", ".join(budget.where(key) for key in keys),
        allowed=known,
        next_step=f"raise the budget, or {_instead(budget)}",
    )


def _instead(budget: ResourceLimits) -> str:
    """What else makes room: no plan without skips costs less than the hard one."""
    if budget.over_cost(budget.cost_of(budget.baselines["hard"])):
        return "take a smaller backbone"
    return "search a space that shares more"


def _sizes(parameters: int, flops: int) -> str:
    return f"{amount(parameters)} params and {amount(flops)} FLOPs"
