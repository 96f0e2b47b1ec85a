"""Sharing plans: which tasks share which units; values and arithmetic, no torch.

A plan says, for every unit of a backbone, how the tasks are grouped. Tasks of one group
share that unit's weights. In a *tree* plan each unit's groups refine the groups before it:
once apart, never together again.

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

Other plans bring tasks together again, or let a task pass by a unit. A unit whose tasks come
from different ways has one copy of its weights and runs once for each way:

>>> plan = SharingPlan.from_groups([[["boxes"], ["scene"]], [["boxes", "scene"]]])
>>> plan.copies, plan.runs
((2, 1), (2, 2))
>>> print(SharingPlan.hard(["boxes", "scene"], units=3).with_skips({1: ["scene"]}))
boxes | scene skips @1, boxes+scene @2
"""

from mtlsearch.plan._cost import Cost, check_plan, plan_cost
from mtlsearch.plan._describe import describe_unit
from mtlsearch.plan._features import FeatureLevel, FeatureSpec
from mtlsearch.plan._plan import SharingPlan
from mtlsearch.plan._rows import SKIPPED
from mtlsearch.plan._statistics import Statistics
from mtlsearch.plan._trees import count_tree_plans, refinements, tree_plans
from mtlsearch.plan._unit import UnitSpec

__all__ = [
    "SKIPPED",
    "Cost",
    "FeatureLevel",
    "FeatureSpec",
    "SharingPlan",
    "Statistics",
    "UnitSpec",
    "check_plan",
    "count_tree_plans",
    "describe_unit",
    "plan_cost",
    "refinements",
    "tree_plans",
]
