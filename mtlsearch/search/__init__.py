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

from mtlsearch.search._at_length import AtLength, kept_at_length, train_at_length, trained_record
from mtlsearch.search._candidate_space import CandidateSpace
from mtlsearch.search._confirm import read_confirmed
from mtlsearch.search._evaluator import Evaluator, Measurement
from mtlsearch.search._function_evaluator import FunctionEvaluator
from mtlsearch.search._journal import open_storage
from mtlsearch.search._loop import SearchOutcome, search
from mtlsearch.search._plan_table import plan_code
from mtlsearch.search._progress import SearchProgress, Silent
from mtlsearch.search._run import follow_search, run_search
from mtlsearch.search._run_affinity import AffinityOutcome, run_affinity
from mtlsearch.search._run_directory import RunDirectory
from mtlsearch.search._session import Session, check_search, open_session
from mtlsearch.search._study import open_store, read_records, run_storage
from mtlsearch.search._table_evaluator import TableEvaluator
from mtlsearch.search._trained import load_trial, pick_trial
from mtlsearch.search._training_evaluator import TrainingEvaluator
from mtlsearch.search._trial_store import TrialStore

__all__ = [
    "AffinityOutcome",
    "AtLength",
    "CandidateSpace",
    "Evaluator",
    "FunctionEvaluator",
    "Measurement",
    "RunDirectory",
    "SearchOutcome",
    "SearchProgress",
    "Session",
    "Silent",
    "TableEvaluator",
    "TrainingEvaluator",
    "TrialStore",
    "check_search",
    "follow_search",
    "kept_at_length",
    "load_trial",
    "open_session",
    "open_storage",
    "open_store",
    "pick_trial",
    "plan_code",
    "read_confirmed",
    "read_records",
    "run_affinity",
    "run_search",
    "run_storage",
    "search",
    "train_at_length",
    "trained_record",
]
