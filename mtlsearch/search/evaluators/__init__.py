"""Evaluators that measure candidates without training: by a function or from a table.

>>> from mtlsearch.plan import SharingPlan
>>> from mtlsearch.plugin import Candidate
>>> from mtlsearch.search import NullProgress
>>> from mtlsearch.search.evaluators import FunctionEvaluator, plan_code
>>> evaluator = FunctionEvaluator(
...     lambda candidate: {"depth": 0.5, "scene": 0.1 * candidate.plan.copies[2]},
...     tasks=["depth", "scene"],
...     units=3,
... )
>>> plan = SharingPlan.from_splits(["depth", "scene"], depths=[2], units=3)
>>> plan_code(plan)
'00 00 01'
>>> measurement = evaluator.measure(0, Candidate(plan), NullProgress())
>>> measurement.results["scene"].metrics["score"]
0.2
"""

from mtlsearch.search.evaluators._function import FunctionEvaluator
from mtlsearch.search.evaluators._plan_table import plan_code
from mtlsearch.search.evaluators._table import TableEvaluator

__all__ = [
    "FunctionEvaluator",
    "TableEvaluator",
    "plan_code",
]
