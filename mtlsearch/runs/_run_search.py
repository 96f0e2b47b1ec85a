"""The search of a run file in a run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.config import save_resolved
from mtlsearch.files import load_json
from mtlsearch.registry import ResolvedRun
from mtlsearch.results import TrialRecord
from mtlsearch.runs._confirm import read_results_by_seed
from mtlsearch.runs._distributed import Rank0Evaluator, on_all_ranks, run_worker
from mtlsearch.runs._environment import describe_threads, record_environment
from mtlsearch.runs._estimate_plans import estimate_plans
from mtlsearch.runs._retrain import retraining_evaluator, without_weights
from mtlsearch.runs._session import Session, open_session, require_same_data
from mtlsearch.search import (
    BestExpected,
    Evaluator,
    NullProgress,
    SearchOutcome,
    SearchProgress,
    TakeOver,
    search,
)
from mtlsearch.search.estimate import Estimate, train_for_estimate
from mtlsearch.study import (
    RunDirectory,
    StudyView,
    TrialStore,
    check_run_directory,
    open_run_storage,
    open_store,
    prune_weights,
    require_same_search,
    with_artifacts,
    with_stored_retention,
    would_create_file,
)

if TYPE_CHECKING:
    import torch

    from mtlsearch.data import DataDigest
    from mtlsearch.training import ProcessGroup


def run_search(
    resolved: ResolvedRun,
    out: Path,
    *,
    device: torch.device,
    progress: SearchProgress,
    process_group: ProcessGroup | None = None,
    is_worker: bool = False,
    study: str | None = None,
) -> SearchOutcome:
    """Start or resume a search and run it until ``search.trials`` trials are finished.

    A check that fails before the first trial leaves no run directory behind.

    Args:
        resolved: the run file with its plugins.
        out: run directory; created if it does not exist.
        device: device of the training.
        progress: callbacks of the search.
        process_group: the processes of a distributed search, of which this is rank 0; None for
            a single process. All other ranks call :func:`run_search_worker`.
        is_worker: whether to take part in a search that other processes may run in the same run
            directory. Otherwise it is locked, against further searches but not against workers.
        study: name of the study in the database of ``search.storage``, which workers with other
            run directories use too; None for a study of this run directory.

    Returns:
        The number of finished trials, and why the search ended early.

    Raises:
        ConfigError: the run file does not fit the data, or no candidate is within the limits.
        DataError: images or labels have problems.
        RunError: the folder is in use, contains another search or is not a run directory.
    """
    run = RunDirectory(out)
    check_run_directory(run)
    is_distributed = process_group is not None and process_group.size > 1
    with nullcontext() if is_worker else run.locked():
        with run.setting_up():
            digest = require_same_search(run, resolved.config)
            session, store = open_search(
                resolved, run, device, progress, process_group, study, trained_on=digest
            )
        if device.type == "cpu" and not is_worker:
            progress.note(f"the CPU trains with {describe_threads()}")
        run = session.evaluator.run  # with the bucket of the artifacts
        with (
            store.joined(run.path),
            on_all_ranks(session.evaluator, is_distributed=is_distributed) as evaluator,
        ):
            if session.config.search.warm_start == "estimate":
                with run.setting_up():
                    _estimate_once(session, run, evaluator, store, progress)
            return search(
                session.space,
                evaluator,
                store,
                trials=session.config.search.trials,
                seed=session.config.seed,
                progress=progress,
                after_each=weight_pruning(run, session),
                at_seed=_second_seeds(session, run, is_distributed=is_distributed),
                take_over=move_checkpoints(run, progress),
            )


def _estimate_once(
    session: Session,
    run: RunDirectory,
    evaluator: Evaluator,
    store: TrialStore,
    progress: SearchProgress,
) -> None:
    """Estimate all plans, unless this or another worker has done it.

    Short trainings with a schedule of their own cannot be resumed. Then others are made, and the
    estimate stays.
    """
    if not run.estimate.is_file():
        estimate_plans(
            session,
            run,
            evaluator,
            store,
            should_merge=False,
            progress=progress,
            after_each=weight_pruning(run, session),
            take_over=move_checkpoints(run, progress),
        )
    elif Estimate.from_json(load_json(run.estimate.read_text(encoding="utf-8"))).has_own_schedule:
        progress.note(
            f"no search resumes the short trainings of {run.estimate}, which have a schedule of "
            "their own: those that `search.warm_start: estimate` needs are made, unless they exist"
        )
        train_for_estimate(
            session.space,
            evaluator,
            store,
            progress=progress,
            after_each=weight_pruning(run, session),
            take_over=move_checkpoints(run, progress),
        )


def move_checkpoints(run: RunDirectory, progress: SearchProgress) -> TakeOver:
    """Return a function that gives the checkpoint of an interrupted trial to another trial.

    Args:
        run: run directory with the checkpoints.
        progress: receives a note per trial that continues others.

    Returns:
        The function. It ignores a checkpoint that another worker deletes meanwhile.
    """

    def move(interrupted: Sequence[int], number: int) -> None:
        is_moved = False
        for former in interrupted:
            run.fetch(run.checkpoint(former), is_replaced=True)
            for file in run.trial(former).glob("checkpoint*.pt"):
                if not is_moved:
                    run.trial(number).mkdir(parents=True, exist_ok=True)
                    with suppress(FileNotFoundError):
                        moved = file.replace(run.trial(number) / file.name)
                        run.upload(moved)
                run.remove(file)
            is_moved = run.checkpoint(number).is_file()
        start = "its last checkpoint" if is_moved else "the first epoch: it has no checkpoint"
        progress.note(f"trial {number} continues trial {interrupted[0]}, from {start}")

    return move


def run_search_worker(
    resolved: ResolvedRun,
    out: Path,
    *,
    device: torch.device,
    process_group: ProcessGroup,
) -> None:
    """Train the candidates that rank 0 proposes until its search ends.

    Args:
        resolved: the run file with its plugins, the same as on rank 0.
        out: run directory, the same as on rank 0; only checkpoints are written to it.
        device: device of this rank.
        process_group: the processes of the search.
    """
    run = RunDirectory(out)
    session = open_session(
        resolved,
        run,
        device=device,
        progress=NullProgress(),
        check=False,
        process_group=process_group,
    )
    run = session.evaluator.run
    run_worker(session.evaluator, _second_seeds(session, run, is_distributed=False))


def _second_seeds(
    session: Session, run: RunDirectory, *, is_distributed: bool
) -> Callable[[int], Evaluator]:
    """Return a function that returns the evaluator of a seed, which is built once."""

    @cache
    def at_seed(seed: int) -> Evaluator:
        evaluator = without_weights(retraining_evaluator(session, run.at_seed(seed), seed=seed))
        return Rank0Evaluator(evaluator, seed) if is_distributed else evaluator

    return at_seed


def open_search(
    resolved: ResolvedRun,
    run: RunDirectory,
    device: torch.device,
    progress: SearchProgress,
    process_group: ProcessGroup | None,
    study: str | None = None,
    *,
    trained_on: DataDigest | None = None,
) -> tuple[Session, TrialStore]:
    """Open session and study, and write ``run.yaml`` and ``environment.json``.

    The digest of the data is recorded in the study before its first trial.

    Args:
        resolved: the run file with its plugins.
        run: run directory, which is locked.
        device: device of the training.
        progress: callbacks for reading images and for warnings.
        process_group: the processes of a distributed search; None for a single process.
        study: name of the study in the storage; None for that of the run directory.
        trained_on: digest of the data of the trials; None if none is known yet.

    Returns:
        The session and the trials of the run.
    """
    config = resolved.config
    search_config = with_stored_retention(run, config.search)
    if search_config is not config.search:
        progress.note(
            f"`search.keep_weights` stays {search_config.keep_weights}, as in {run.config}: "
            "the run file does not set it"
        )
        config = config.model_copy(update={"search": search_config})
        resolved = replace(resolved, loaded=replace(resolved.loaded, config=config))
    if config.search.artifacts is not None:
        with_artifacts(run, config.search.artifacts, config.settings_digest).check_artifacts()
    # A connection is checked before images are read. A new file is created after all checks.
    is_new_file = would_create_file(config.search.storage, run.journal)
    storage = None if is_new_file else open_run_storage(run, config, progress.warning)
    session = open_session(
        resolved,
        run,
        device=device,
        progress=progress,
        is_search=True,
        process_group=process_group,
        trained_on=trained_on,
    )
    objectives = session.objectives
    storage = storage or open_run_storage(run, config, progress.warning)
    store = open_store(run, config, storage, objectives, study)
    digest = session.data.digest() if trained_on is None else trained_on
    if store.data_digest is None:
        if store.trials:
            progress.warning(
                "the data of earlier trials are unknown: an earlier version did not record them. "
                "Trials are comparable only if the data are the same; from now on, those in "
                f"{config.data.root} are compared"
            )
        store.data_digest = digest
    save_resolved(config, run.config)
    if config.search.storage is not None and store.run_file is None:
        store.run_file = run.config.read_text(encoding="utf-8")
    record_environment(run, device)
    # Read again at the end: another worker may have recorded its data at the same time.
    recorded, by_row = store.data_digest or {}, session.data.selected_by_row
    require_same_data(recorded, digest, run, config.data.root, selected_by_row=by_row)
    return session, store


def weight_pruning(run: RunDirectory, session: Session) -> Callable[[StudyView], None] | None:
    """Return a callback that deletes weights and checkpoints; None if all are kept.

    Args:
        run: run directory.
        session: the opened run.

    Returns:
        Function of the study.
    """
    keep, objectives = session.config.search.keep_weights, session.objectives
    has_checkpoints = session.config.search.early_stopping is not None or run.has_checkpoints
    keeps_all = keep == "all" or session.config.search.trials <= keep
    if keeps_all and not has_checkpoints:
        return None
    confirmed = frozenset(
        record.number for records in read_results_by_seed(run).values() for record in records
    )
    best, last, with_files = BestExpected(), StudyView(), frozenset[int]()

    def prune(view: StudyView) -> None:
        nonlocal last, with_files
        if keep != "all" and not has_checkpoints and len(view.records) <= keep:
            return  # nothing to delete
        changed = view.changed_since(last)
        records: Sequence[TrialRecord] = view.records
        if changed is not None:
            reference = () if view.reference is None else (view.reference.number,)
            numbers = sorted(with_files.union(changed, reference))
            records = [record for record in map(view.record, numbers) if record.repeats is None]
        repeated = {record.repeats for record in view.repeats if record.repeats is not None}
        named = best.of(view, records) if keep != "all" else None
        kept = confirmed | repeated | ({named} if named is not None else set())
        with_files, last = prune_weights(run, records, keep, objectives, kept), view

    return prune
