"""Cost of a sharing plan, computed from its units without building a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtlsearch.errors import PlanError
from mtlsearch.plan._plan import SharingPlan
from mtlsearch.plan._unit import UnitSpec


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters and FLOPs of a network or of a part of one.

    Attributes:
        parameters: number of scalars in the weights.
        flops: floating-point operations for one image, two per multiply-add.
    """

    parameters: int
    flops: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.flops + other.flops)


def plan_cost(plan: SharingPlan, units: Sequence[UnitSpec], heads: Iterable[Cost] = ()) -> Cost:
    """Return the cost of the network of a plan: copies and runs of all units, and the heads.

    Parameters count once per copy, FLOPs once per run. In a tree both numbers are equal.

    Args:
        plan: the sharing plan.
        units: units of the backbone in depth order.
        heads: cost of each task's head.

    Returns:
        The sum.

    Raises:
        PlanError: the plan has another number of units, or a task skips a unit that is not
            skippable.
    """
    check_plan(plan, units)
    total = Cost(0, 0)
    for copies, runs, unit in zip(plan.copies, plan.runs, units, strict=True):
        total += Cost(copies * unit.parameters, runs * unit.flops)
    return sum(heads, start=total)


def check_plan(plan: SharingPlan, units: Sequence[UnitSpec]) -> None:
    """Check that a plan is legal for the units of a backbone.

    Args:
        plan: the sharing plan.
        units: units of the backbone in depth order.

    Raises:
        PlanError: the plan has another number of units, or a task skips a unit that is not
            skippable.
    """
    if len(plan.rows) != len(units):
        raise PlanError(
            f"the plan is for {len(plan.rows)} units, the backbone has {len(units)}",
            next_step="build the plan for the units of this backbone",
        )
    for index, unit in enumerate(units):
        if plan.skips(index) and not unit.skippable:
            raise PlanError(
                f"{', '.join(plan.skips(index))} cannot skip unit {index} ({unit.name}): "
                "its output does not have the shape of its input",
                allowed=[f"{unit.index} ({unit.name})" for unit in units if unit.skippable],
            )
