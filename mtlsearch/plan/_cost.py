"""What a plan costs, by arithmetic on its units; nothing is built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtlsearch.errors import PlanError
from mtlsearch.plan._plan import SharingPlan
from mtlsearch.units import UnitSpec


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
    """Cost of a tree plan's network: every copy of every unit, once, and the heads.

    Args:
        plan: the sharing plan.
        units: the units of the backbone, in depth order.
        heads: the cost of each task's head.

    Raises:
        PlanError: the plan is for another number of units.
    """
    if len(plan.rows) != len(units):
        raise PlanError(f"the plan is for {len(plan.rows)} units, the backbone has {len(units)}")
    total = Cost(0, 0)
    for copies, unit in zip(plan.copies, units, strict=True):
        total += Cost(copies * unit.parameters, copies * unit.flops)
    return sum(heads, start=total)
