"""The study package."""

from mtlsearch.study._resume import require_own_folder, require_same_search
from mtlsearch.study._retention import forget_weights
from mtlsearch.study._run_directory import RunDirectory
from mtlsearch.study._storage import begins_file, drop_torn_line, open_storage, require_storage
from mtlsearch.study._study import open_store, read_records, run_storage
from mtlsearch.study._trial_store import SETTLED, TrialStore

__all__ = [
    "SETTLED",
    "RunDirectory",
    "TrialStore",
    "begins_file",
    "drop_torn_line",
    "forget_weights",
    "open_storage",
    "open_store",
    "read_records",
    "require_own_folder",
    "require_same_search",
    "require_storage",
    "run_storage",
]
