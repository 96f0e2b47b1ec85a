"""Study: the trials of one search, stored in its run directory. No torch.

* :class:`RunDirectory`: the paths of all files of a search, and its lock.
* :class:`TrialStore`: an Optuna study whose trials contain our records.
* :class:`StudyView`: a snapshot of the study, with reference, Δm and rung ranks.
* :func:`open_storage`: the journal file, or the database of ``search.storage``.
* :func:`require_same_search`: whether a search may resume in a run directory.
* :func:`prune_weights`: which weights and checkpoints stay on disk.

How a search uses it, in ten lines:

1. :func:`check_run_directory` refuses a folder with other files.
2. :meth:`RunDirectory.locked` excludes other processes until the search ends.
3. :func:`require_same_search` compares ``run.yaml`` with the run file.
4. :func:`open_run_storage` opens the storage, :func:`open_store` the study in it.
5. :meth:`TrialStore.joined` makes the process a worker of the study.
6. :meth:`TrialStore.mark_interrupted` ends trials that dead workers left running.
7. :meth:`TrialStore.start` stores a running trial in one write and gives it a number.
8. :meth:`TrialStore.write` stores a trial that pauses at a rung.
9. :meth:`TrialStore.finish` stores a trial that ended, with its objective values.
10. :func:`prune_weights` deletes the weights that the retention policy does not keep.

:func:`read_records` returns all trials without writing anything, also during a search.

>>> from mtlsearch.study import TrialStore
>>> TrialStore.in_memory().view().num_finished
0
"""

from mtlsearch.results import FINISHED_STATES
from mtlsearch.study._journal import truncate_partial_line
from mtlsearch.study._repair import DamagedLine, JournalRepair, repair_journal
from mtlsearch.study._resume import (
    check_run_directory,
    require_same_search,
    with_stored_retention,
)
from mtlsearch.study._retention import prune_weights
from mtlsearch.study._run_directory import RunDirectory
from mtlsearch.study._run_file import read_run
from mtlsearch.study._storage import (
    open_storage,
    require_artifacts,
    require_storage,
    would_create_file,
)
from mtlsearch.study._study import (
    open_run_storage,
    open_store,
    read_importances,
    read_records,
    read_stored,
    read_view,
    require_unused,
    stored_run_file,
    with_artifacts,
)
from mtlsearch.study._trial_store import ClaimLostError, TrialStore
from mtlsearch.study._view import StudyView, SuggestedParams

__all__ = [
    "FINISHED_STATES",
    "ClaimLostError",
    "DamagedLine",
    "JournalRepair",
    "RunDirectory",
    "StudyView",
    "SuggestedParams",
    "TrialStore",
    "check_run_directory",
    "open_run_storage",
    "open_storage",
    "open_store",
    "prune_weights",
    "read_importances",
    "read_records",
    "read_run",
    "read_stored",
    "read_view",
    "repair_journal",
    "require_artifacts",
    "require_same_search",
    "require_storage",
    "require_unused",
    "stored_run_file",
    "truncate_partial_line",
    "with_artifacts",
    "with_stored_retention",
    "would_create_file",
]
