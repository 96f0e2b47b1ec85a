"""Sharing plans, units, feature levels and costs: values and arithmetic without torch.

A sharing plan partitions the tasks at every unit of a backbone. The tasks of one group share one
copy of the unit. In a *tree*, tasks that separated never share again:

>>> from mtlsearch.plan import SharingPlan
>>> plan = SharingPlan.from_splits(["boxes", "outline", "scene"], depths=[1, 3], units=4)
>>> plan.groups(0)
(('boxes', 'outline', 'scene'),)
>>> plan.groups(2)
(('boxes',), ('outline', 'scene'))
>>> plan.is_tree, plan.copies
(True, (1, 2, 2, 3))
>>> print(plan)
boxes | outline+scene @1, outline | scene @3

Other plans let tasks share again or skip a unit. If the tasks of a group have different paths,
the unit has one copy and runs once per path:

>>> plan = SharingPlan.from_groups([[["boxes"], ["scene"]], [["boxes", "scene"]]])
>>> plan.copies, plan.runs
((2, 1), (2, 2))
>>> print(SharingPlan.hard(["boxes", "scene"], units=3).with_skips({1: ["scene"]}))
boxes | scene skips @1, boxes+scene @2
"""

from mtlsearch.plan._canonical import SKIPPED
from mtlsearch.plan._cost import Cost, check_plan, plan_cost
from mtlsearch.plan._extend import (
    Branch,
    extend_heads,
    extend_independent,
    extend_plan,
    last_shared,
)
from mtlsearch.plan._features import FeatureLevel, FeatureSpec
from mtlsearch.plan._plan import SharingPlan, Statistics, TaskPath
from mtlsearch.plan._trees import count_tree_plans, refinements, tree_plans
from mtlsearch.plan._unit import UnitSpec

__all__ = [
    "SKIPPED",
    "Branch",
    "Cost",
    "FeatureLevel",
    "FeatureSpec",
    "SharingPlan",
    "Statistics",
    "TaskPath",
    "UnitSpec",
    "check_plan",
    "count_tree_plans",
    "extend_heads",
    "extend_independent",
    "extend_plan",
    "last_shared",
    "plan_cost",
    "refinements",
    "tree_plans",
]
