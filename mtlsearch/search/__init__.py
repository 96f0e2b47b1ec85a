"""The search: candidates proposed, measured once each, and kept in an Optuna study.

Three parts meet in :func:`search`: a :class:`CandidateSpace` that proposes, an
:class:`Evaluator` that measures, and a :class:`TrialStore` that remembers.
:func:`run_search` puts them together from a run file. What measures need not train; see
``docs/searching-from-python.md``:

>>> from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
>>> from mtlsearch.search import CandidateSpace, FunctionEvaluator, TrialStore, search
>>> def score(candidate):
...     return {task: 10.0 + candidate.plan.copies[1] for task in candidate.plan.tasks}
>>> evaluator = FunctionEvaluator(score, tasks=["boxes", "outline", "scene"], units=4)
>>> space = CandidateSpace.of(TreeSpace(TreeSettings()), evaluator)
>>> search(space, evaluator, TrialStore.in_memory(), trials=12, seed=0).settled
12

Importing this package does not import torch, which takes seconds: a leaderboard does without.
"""

from mtlsearch.search._evaluator import Evaluator, Measurement
from mtlsearch.search._progress import NullProgress, SearchProgress
from mtlsearch.search._search import SearchOutcome, search
from mtlsearch.search.evaluators import FunctionEvaluator, TableEvaluator, plan_code
from mtlsearch.search.space import (
    CandidateSpace,
    Proposal,
    add_limits,
    check_distillation_backbones,
    check_feasible,
)

__all__ = [
    "CandidateSpace",
    "Evaluator",
    "FunctionEvaluator",
    "Measurement",
    "NullProgress",
    "Proposal",
    "SearchOutcome",
    "SearchProgress",
    "TableEvaluator",
    "add_limits",
    "check_distillation_backbones",
    "check_feasible",
    "plan_code",
    "search",
]
