"""Runs: everything that trains, from a run file in a run directory.

One search, :func:`run_search`, in ten steps:

1. Check that the folder is new or a run directory, and lock it.
2. Check that it contains no other search; remove a partial line of the journal.
3. Run the preflight checks of the run file (:data:`PREFLIGHT_CHECKS`).
4. Create and cut the backbones, open the data, build the tasks, check the objectives.
5. Read and check all images of ``train`` and ``val``, or find them in the cache.
6. Build the :class:`TrainingEvaluator` and the candidate space, and check its limits.
7. Open the study and write ``run.yaml``.
8. Run :func:`mtlsearch.search.search`: it proposes candidates, the evaluator trains them.
9. After each trial, delete the weights that ``search.keep_weights`` does not keep.
10. Where it is worth more than a new plan, train a plan on another seed instead.

Steps 3 to 6 are :func:`open_session`, which long training, export and task affinity also use.

::

    from mtlsearch.config import load_run
    from mtlsearch.registry import build_registry
    from mtlsearch.runs import run_search
    from mtlsearch.search import NullProgress
    from mtlsearch.training import resolve_device

    resolved = build_registry().resolve(load_run("run.yaml"))
    device = resolve_device("auto")
    run_search(resolved, Path("results/first"), device=device, progress=NullProgress())
"""

from mtlsearch.runs._check_run import check_run
from mtlsearch.runs._compare_runs import RunComparison, compare_runs
from mtlsearch.runs._compress import CompressSettings, compress, find_compressed
from mtlsearch.runs._confirm import rank_trials, read_confirmed, read_verdict
from mtlsearch.runs._environment import describe_threads, read_environments
from mtlsearch.runs._extend import InUse, Tuning, extend_bundle, start_extension
from mtlsearch.runs._fine_tune import FineTuned, fine_tune, require_same_labels
from mtlsearch.runs._history import history_columns, read_history
from mtlsearch.runs._kept_network import KeptNetwork, open_kept_network, refuse_extension
from mtlsearch.runs._load_trial import load_trial, pick_trial
from mtlsearch.runs._long_training import (
    LongTraining,
    find_long_training,
    load_long_training,
    train_longer,
)
from mtlsearch.runs._network_in_use import EXTENDABLE, describe_network
from mtlsearch.runs._preflight import (
    PREFLIGHT_CHECKS,
    PreflightCheck,
    PreflightContext,
    Stage,
)
from mtlsearch.runs._run_affinity import AffinityOutcome, run_affinity
from mtlsearch.runs._run_estimate import run_estimate
from mtlsearch.runs._run_search import run_search, run_search_worker
from mtlsearch.runs._select_trial import select_network, select_trial
from mtlsearch.runs._session import (
    Session,
    accept_data,
    load_cut_backbone,
    open_session,
    reopen_session,
)
from mtlsearch.runs._training_evaluator import TrainingEvaluator

__all__ = [
    "EXTENDABLE",
    "PREFLIGHT_CHECKS",
    "AffinityOutcome",
    "CompressSettings",
    "FineTuned",
    "InUse",
    "KeptNetwork",
    "LongTraining",
    "PreflightCheck",
    "PreflightContext",
    "RunComparison",
    "Session",
    "Stage",
    "TrainingEvaluator",
    "Tuning",
    "accept_data",
    "check_run",
    "compare_runs",
    "compress",
    "describe_network",
    "describe_threads",
    "extend_bundle",
    "find_compressed",
    "find_long_training",
    "fine_tune",
    "history_columns",
    "load_cut_backbone",
    "load_long_training",
    "load_trial",
    "open_kept_network",
    "open_session",
    "pick_trial",
    "rank_trials",
    "read_confirmed",
    "read_environments",
    "read_history",
    "read_verdict",
    "refuse_extension",
    "reopen_session",
    "require_same_labels",
    "run_affinity",
    "run_estimate",
    "run_search",
    "run_search_worker",
    "select_network",
    "select_trial",
    "start_extension",
    "train_longer",
]
