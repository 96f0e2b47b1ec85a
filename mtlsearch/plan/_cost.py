"""What a plan costs, by arithmetic on its units; nothing is built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtlsearch.errors import PlanError
from mtlsearch.plan._plan import SharingPlan
from mtlsearch.plan._unit import UnitSpec


@dataclass(frozen=True, slots=True)
class Cost:
    """Size and work of a network or a part of one.

    Attributes:
        parameters: scalars in its weights.
        flops: floating-point operations for one image (2 x multiply-adds).
    """

    parameters: int
    flops: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.flops + other.flops)


def plan_cost(plan: SharingPlan, units: Sequence[UnitSpec], heads: Iterable[Cost] = ()) -> Cost:
    """Cost of a plan's network: every unit's copies and runs, and the heads.

    A unit is stored once a copy and computed once for every distinct path that leads through
    it, which in a tree plan is the same number.

    Args:
        plan: the sharing plan.
        units: the units of the backbone, in depth order.
        heads: the cost of each task's head.

    Raises:
        PlanError: the plan is for another number of units, or passes by one that changes
            the shape of what it is given.
    """
    check_plan(plan, units)
    total = Cost(0, 0)
    for copies, runs, unit in zip(plan.copies, plan.runs, units, strict=True):
        total += Cost(copies * unit.parameters, runs * unit.flops)
    return sum(heads, start=total)


def check_plan(plan: SharingPlan, units: Sequence[UnitSpec]) -> None:
    """Raise a :class:`PlanError` for a plan that units such as these cannot follow.

    Args:
        plan: the sharing plan.
        units: the units of the backbone, in depth order.
    """
    if len(plan.rows) != len(units):
        raise PlanError(
            f"the plan is for {len(plan.rows)} units, the backbone has {len(units)}",
            next_step="build the plan for the units of the backbone it runs on",
        )
    for at, unit in enumerate(units):
        if plan.skipping(at) and not unit.skippable:
            raise PlanError(
                f"{', '.join(plan.skipping(at))} cannot pass by unit {at} ({unit.name}), "
                "which does not give back the shape it takes",
                allowed=[f"{each.index} ({each.name})" for each in units if each.skippable],
            )
