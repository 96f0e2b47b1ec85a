"""A plan in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtlsearch.plan._plan import SharingPlan


def describe(plan: SharingPlan) -> str:
    """``hard``, ``independent``, or the depths at which groups change."""
    text = ", ".join(_changes(plan)) or "hard"
    if not plan.has_skips and min(plan.copies) == len(plan.tasks) > 1:
        text = "independent"
    return text if plan.statistics == "shared" else f"{text}; statistics a {plan.statistics}"


def describe_unit(plan: SharingPlan, unit: int) -> tuple[str, ...]:
    """One unit's groups, and the tasks that pass by it: ``("boxes+outline", "scene skips")``."""
    return (
        *("+".join(group) for group in plan.groups(unit)),
        *(f"{task} skips" for task in plan.skipping(unit)),
    )


def _changes(plan: SharingPlan) -> Iterator[str]:
    """What is new at a unit: groups, and tasks that begin to pass by."""
    before: tuple[str, ...] = ("+".join(plan.tasks),)
    for unit in range(len(plan.rows)):
        now = describe_unit(plan, unit)
        changed = [part for part in now if part not in before]
        if changed:
            yield f"{' | '.join(changed)} @{unit}"
        before = now
