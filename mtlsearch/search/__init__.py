"""The search: candidates proposed, measured once each, and kept in an Optuna study.

Three parts meet in :func:`search`: a :class:`CandidateSpace` that proposes, an
:class:`Evaluator` that measures, and a :class:`TrialStore` that remembers.
:func:`run_search` puts them together from a run file.

Importing this package does not import torch, which takes seconds: a leaderboard does without.
"""

from mtlsearch.search._candidate_space import CandidateSpace
from mtlsearch.search._evaluator import Evaluator, Measurement
from mtlsearch.search._journal import open_storage
from mtlsearch.search._loop import SearchOutcome, search
from mtlsearch.search._progress import SearchProgress, Silent
from mtlsearch.search._run import run_search
from mtlsearch.search._run_directory import RunDirectory
from mtlsearch.search._session import Session, open_session
from mtlsearch.search._study import open_store, read_records
from mtlsearch.search._trained import load_trial, pick_trial
from mtlsearch.search._training_evaluator import TrainingEvaluator
from mtlsearch.search._trial_store import TrialStore

__all__ = [
    "CandidateSpace",
    "Evaluator",
    "Measurement",
    "RunDirectory",
    "SearchOutcome",
    "SearchProgress",
    "Session",
    "Silent",
    "TrainingEvaluator",
    "TrialStore",
    "load_trial",
    "open_session",
    "open_storage",
    "open_store",
    "pick_trial",
    "read_records",
    "run_search",
    "search",
]
