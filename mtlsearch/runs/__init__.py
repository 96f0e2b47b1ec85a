"""The runs package."""

from mtlsearch.runs._confirm import read_confirmed
from mtlsearch.runs._load_trial import load_trial, pick_trial
from mtlsearch.runs._long_training import (
    LongTraining,
    find_long_training,
    load_long_training,
    train_longer,
)
from mtlsearch.runs._run_affinity import AffinityOutcome, run_affinity
from mtlsearch.runs._run_search import run_search, run_search_worker
from mtlsearch.runs._session import Session, check_search, open_session
from mtlsearch.runs._training_evaluator import TrainingEvaluator

__all__ = [
    "AffinityOutcome",
    "LongTraining",
    "Session",
    "TrainingEvaluator",
    "check_search",
    "find_long_training",
    "load_long_training",
    "load_trial",
    "open_session",
    "pick_trial",
    "read_confirmed",
    "run_affinity",
    "run_search",
    "run_search_worker",
    "train_longer",
]
