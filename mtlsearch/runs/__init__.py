"""The runs package."""

from mtlsearch.runs._confirm import read_confirmed
from mtlsearch.runs._load_trial import load_trial, pick_trial
from mtlsearch.runs._long_training import AtLength, kept_at_length, train_at_length, trained_record
from mtlsearch.runs._run_affinity import AffinityOutcome, run_affinity
from mtlsearch.runs._run_search import follow_search, run_search
from mtlsearch.runs._session import Session, check_search, open_session
from mtlsearch.runs._training_evaluator import TrainingEvaluator

__all__ = [
    "AffinityOutcome",
    "AtLength",
    "Session",
    "TrainingEvaluator",
    "check_search",
    "follow_search",
    "kept_at_length",
    "load_trial",
    "open_session",
    "pick_trial",
    "read_confirmed",
    "run_affinity",
    "run_search",
    "train_at_length",
    "trained_record",
]
