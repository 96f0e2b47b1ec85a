"""Search: propose candidates, measure each one once, store the results in an Optuna study.

:func:`search` connects three parts: a :class:`CandidateSpace` that defines what can be proposed,
an :class:`Evaluator` that measures a candidate, and a trial store that keeps the results.
:func:`mtlsearch.runs.run_search` creates all three from a run file. An evaluator does not have
to train, see ``docs/python-api.md``:

>>> from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
>>> from mtlsearch.search import FunctionEvaluator, build_candidate_space, search
>>> from mtlsearch.study import TrialStore
>>> def score(candidate):
...     return {task: 10.0 + candidate.plan.copies[1] for task in candidate.plan.tasks}
>>> evaluator = FunctionEvaluator(score, tasks=["boxes", "outline", "scene"], units=4)
>>> space = build_candidate_space(TreeSpace(TreeSettings()), evaluator)
>>> search(space, evaluator, TrialStore.in_memory(), trials=12, seed=0).num_finished
12

This package does not import torch and does not write files.
"""

from mtlsearch.search._evaluator import Evaluator, Measurement
from mtlsearch.search._progress import NullProgress, SearchProgress
from mtlsearch.search._search import SearchOutcome, search
from mtlsearch.search._task_effects import (
    Effect,
    TaskEffects,
    effect_sentences,
    task_effects,
)
from mtlsearch.search._trial_runner import TakeOver
from mtlsearch.search._verdict import BestExpected, Verdict, verdict_of
from mtlsearch.search.evaluators import FunctionEvaluator, TableEvaluator, plan_code
from mtlsearch.search.space import CandidateSpace, Proposal, build_candidate_space

__all__ = [
    "BestExpected",
    "CandidateSpace",
    "Effect",
    "Evaluator",
    "FunctionEvaluator",
    "Measurement",
    "NullProgress",
    "Proposal",
    "SearchOutcome",
    "SearchProgress",
    "TableEvaluator",
    "TakeOver",
    "TaskEffects",
    "Verdict",
    "build_candidate_space",
    "effect_sentences",
    "plan_code",
    "search",
    "task_effects",
    "verdict_of",
]
