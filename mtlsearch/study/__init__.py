"""The study package."""

from mtlsearch.study._resume import check_run_directory, require_same_search
from mtlsearch.study._retention import prune_weights
from mtlsearch.study._run_directory import RunDirectory
from mtlsearch.study._storage import (
    open_storage,
    require_storage,
    truncate_partial_line,
    would_create_file,
)
from mtlsearch.study._study import open_run_storage, open_store, read_records
from mtlsearch.study._trial_store import TrialStore
from mtlsearch.study._view import FINISHED_STATES, StudyView, SuggestedParams

__all__ = [
    "FINISHED_STATES",
    "RunDirectory",
    "StudyView",
    "SuggestedParams",
    "TrialStore",
    "check_run_directory",
    "open_run_storage",
    "open_storage",
    "open_store",
    "prune_weights",
    "read_records",
    "require_same_search",
    "require_storage",
    "truncate_partial_line",
    "would_create_file",
]
