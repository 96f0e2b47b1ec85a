"""The session of a run: its data, tasks, backbones and candidate space, ready for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.config import RunConfig, load_run
from mtlsearch.errors import BackboneError, RunError
from mtlsearch.registry import ResolvedRun
from mtlsearch.results import Objective, objectives_of
from mtlsearch.runs._kept_network import open_kept_network
from mtlsearch.runs._latency import measure_network_latency
from mtlsearch.runs._preflight import PreflightContext, Stage, metrics_by_task, run_checks
from mtlsearch.runs._training_evaluator import TrainingEvaluator
from mtlsearch.search import CandidateSpace, SearchProgress, build_candidate_space
from mtlsearch.study import (
    RunDirectory,
    open_run_storage,
    open_store,
    read_stored,
    require_unused,
    with_artifacts,
)

if TYPE_CHECKING:
    import torch

    from mtlsearch.data import DataDigest, DataModule
    from mtlsearch.models import CutBackbone
    from mtlsearch.training import ProcessGroup


@dataclass(frozen=True, slots=True)
class Session:
    """All that search, training and export of one run require.

    Attributes:
        config: the run file.
        data: the data of the run.
        evaluator: trains candidates.
        space: the candidate space.
    """

    config: RunConfig
    data: DataModule
    evaluator: TrainingEvaluator
    space: CandidateSpace

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Objectives of the search."""
        return objectives_of(
            self.config.search.objectives, metrics_by_task(self.evaluator.task_by_name)
        )


def open_session(
    resolved: ResolvedRun,
    run: RunDirectory,
    *,
    device: torch.device,
    progress: SearchProgress,
    check: bool = True,
    should_load_weights: bool = True,
    is_search: bool = False,
    process_group: ProcessGroup | None = None,
    trained_on: DataDigest | None = None,
) -> Session:
    """Open the data, run the preflight checks and build what a training requires.

    Args:
        resolved: the run file with its plugins.
        run: run directory for the weights of trials.
        device: device of the training.
        progress: callbacks for reading images and for warnings.
        check: read all training and validation images and check them, and log trainings. Export
            does not need it.
        should_load_weights: whether to load the weights that the run file names. A trained
            trial has its own.
        is_search: whether candidates are proposed. The session then reads the warm start.
        process_group: the processes of a distributed training; None for a single process.
        trained_on: digest of the data of earlier trials in the run directory, with which the
            trainings of the session will be compared; None allows any data.

    Returns:
        The session.

    Raises:
        ConfigError: the run file does not fit the data, or no candidate is within the limits.
        DataError: images or labels have problems, or a task has no labels.
        UnknownNameError: timm does not have the backbone.
        BackboneError: a backbone cannot be created, loaded or cut.
        RunError: the storage URL or the warm start is invalid, or the data are not those of the
            earlier trials.
        TrainingError: a balancer does not support the training settings.
        PluginError: the head of a task cannot be built, or raises an error.
        ExportError: the network cannot be exported.
    """
    context = PreflightContext(
        resolved,
        device,
        run,
        num_processes=process_group.size if process_group else 1,
        is_search=is_search,
    )
    run_checks(Stage.RUN_FILE, context, on_warning=progress.warning)
    cut_backbones = _cut_backbones(resolved, should_load_weights)
    data = context.data = _open_data(resolved, cut_backbones, device)
    if trained_on is not None:
        root, by_row = resolved.config.data.root, data.selected_by_row
        require_same_data(trained_on, data.digest(), run, root, selected_by_row=by_row)
    context.tasks = resolved.build_tasks(data.labels)
    if check:
        _check_data(context, data, progress)
        context.cut_backbones = cut_backbones
        run_checks(Stage.NETWORK, context, on_warning=progress.warning)
    elif process_group is not None:
        data.check()  # losses can depend on the counts, which rank 0 has already cached
    kept = open_kept_network(resolved, run) if resolved.kept_tasks else None
    if check and kept is not None and kept.validation is not None:
        kept.validation.open(cut_backbones[resolved.config.backbone.names[0]])
    evaluator = TrainingEvaluator(
        config=resolved.config,
        # Built again, because reading the images counts their classes.
        task_by_name=resolved.build_tasks(data.labels),
        label_by_task=resolved.config.labels,
        data=data,
        cut_backbones=cut_backbones,
        run=with_artifacts(run, resolved.config.search.artifacts, resolved.config.settings_digest),
        device=device,
        balancers=context.balancers,
        loggers=context.loggers if check else {},
        process_group=process_group,
        kept=kept,
    )
    return Session(resolved.config, data, evaluator, _build_space(context, evaluator))


def reopen_session(
    resolved: ResolvedRun,
    weights: RunDirectory,
    run: Path,
    *,
    device: torch.device,
    progress: SearchProgress,
    warning: Callable[[str], None] | None = None,
) -> Session:
    """Open the session of trained networks: read no image and load no initial weights.

    Args:
        resolved: the run file with its plugins.
        weights: directory with the weights of the networks.
        run: run directory of their trials.
        device: device of the networks.
        progress: callbacks for warnings.
        warning: receives what differs if the data are not those of the trials; None for that of
            ``progress``.

    Returns:
        The session.

    Raises:
        ConfigError: the run file does not fit the data.
        DataError: the data cannot be opened.
        BackboneError: a backbone cannot be created or cut.
        RunError: the storage cannot be opened.
        PluginError: a plugin raises an error.
    """
    session = open_session(
        resolved,
        weights,
        device=device,
        progress=progress,
        check=False,
        should_load_weights=False,
    )
    warn_of_other_data(session, run, warning or progress.warning)
    return session


def require_same_data(
    before: DataDigest, now: DataDigest, run: RunDirectory, root: Path, *, selected_by_row: bool
) -> None:
    """Check that data did not change since the first trial of a run.

    Metrics on other images are not comparable, and Δm would refer to an independent baseline that
    was trained and measured on them.

    Args:
        before: digest of the data of the trials.
        now: digest of the present data.
        run: run directory, for the message.
        root: folder of the present data, for the message.
        selected_by_row: whether the order of the rows decides on the images of the splits.

    Raises:
        RunError: images or labels of ``train`` or ``val`` differ.
    """
    from mtlsearch.data import describe_changes, differ_in_sizes_only

    if changes := describe_changes(before, now, selected_by_row=selected_by_row):
        lines = "".join(f"\n  {line}" for line in changes)
        accept = (
            f", or, if the files were written again with the same pixels, run `mtlsearch repair "
            f"{run.path} --accept-data{_data_root(run, root)}`"
            if differ_in_sizes_only(before, now)
            else ""
        )
        raise RunError(
            "the data changed since the first trial of this run directory, so that trials would "
            f"not be comparable:{lines}",
            where=str(run.path),
            next_step="restore the data, or set --out to a new folder for a search on the new data"
            f"{accept}",
        )


def _data_root(run: RunDirectory, root: Path) -> str:
    """Return the option that names a folder of data; empty for that of the run's ``run.yaml``."""
    if run.config.is_file() and load_run(run.config).config.data.root.resolve() != root.resolve():
        return f" --data-root {root}"
    return ""


def accept_data(resolved: ResolvedRun, run: RunDirectory) -> int:
    """Record the present sizes of the files of a run's images; all else must be as it was.

    Images that are written again without loss have other sizes and the same pixels. The sizes
    cannot tell this, so only the user can.

    Args:
        resolved: the run file of the run with its plugins.
        run: the run directory.

    Returns:
        The number of images of ``train`` and ``val`` whose sizes are recorded; 0 if no size
        differs from the recorded ones.

    Raises:
        DataError: the data cannot be read.
        RunError: a search uses the run directory, the run has no digest of its data, or other
            images or labels.
    """
    from mtlsearch.data import differ_in_sizes_only, open_data

    config = resolved.config
    require_unused(run, config)
    with run.locked():
        before = read_stored(run, config)[1]
        if before is None:
            raise RunError(
                "no digest of the data is recorded",
                where=str(run.path),
                next_step="resume the search by `mtlsearch search`, which records it",
            )
        data = open_data(
            resolved.open_sources(), config.data, mean=(0.5,), std=(0.5,), seed=config.seed
        )
        now = data.digest()
        if not differ_in_sizes_only(before, now):
            root, by_row = config.data.root, data.selected_by_row
            require_same_data(before, now, run, root, selected_by_row=by_row)
            return 0
        objectives = objectives_of(
            config.search.objectives, metrics_by_task(resolved.build_tasks(data.labels))
        )
        store = open_store(run, config, open_run_storage(run, config), objectives)
        store.data_digest = now
    return data.size("train") + data.size("val")


def warn_of_other_data(session: Session, run: Path, warning: Callable[[str], None]) -> None:
    """Warn if the present data are not, or may not be, those of the trials of a run.

    Args:
        session: the opened run.
        run: its run directory.
        warning: receives what differs.

    Raises:
        RunError: the storage cannot be opened.
    """
    from mtlsearch.data import describe_changes

    trials, before = read_stored(RunDirectory(run), session.config)
    if before is None:
        if trials:
            warning(
                f"the data of the trials in {run} are unknown: an earlier version did not record "
                "them. Results are comparable with theirs only if the data in "
                f"{session.config.data.root} are the same"
            )
        return
    data = session.data
    if changes := describe_changes(before, data.digest(), selected_by_row=data.selected_by_row):
        warning(
            f"the data in {session.config.data.root} are not those of the trials in {run}, so that "
            f"results are not comparable with theirs ({'; '.join(changes)})"
        )


def _check_data(context: PreflightContext, data: DataModule, progress: SearchProgress) -> None:
    run_checks(Stage.LABELS, context, on_warning=progress.warning)
    context.report = data.check(lambda done, total: progress.stage("reading images", done, total))
    run_checks(Stage.IMAGES, context, on_warning=progress.warning)


def _open_data(
    resolved: ResolvedRun, cut_backbones: dict[str, CutBackbone], device: torch.device
) -> DataModule:
    from mtlsearch.data import open_data

    config = resolved.config
    first = cut_backbones[config.backbone.names[0]]
    return open_data(
        resolved.open_sources(),
        config.data,
        mean=first.mean,
        std=first.std,
        seed=config.seed,
        device=device,
    )


def _build_space(context: PreflightContext, evaluator: TrainingEvaluator) -> CandidateSpace:
    resolved, config = context.resolved, context.resolved.config
    batch = config.limits.latency_batch or config.train.batch_size
    kept_plan = None if evaluator.kept is None else evaluator.kept.plan
    return build_candidate_space(
        resolved.build_space(kept_plan),
        evaluator,
        config.search,
        backbones=config.backbone.names,
        learning_rate=config.train.learning_rate,
        limits=config.limits,
        measure_latency=lambda candidate: measure_network_latency(
            evaluator, candidate, batch=batch
        ),
        affinity=context.affinity,
        kept_plan=kept_plan,
        where=resolved.where,
    )


def _cut_backbones(resolved: ResolvedRun, should_load_weights: bool) -> dict[str, CutBackbone]:
    config = resolved.config
    try:
        return {
            name: load_cut_backbone(config, name, should_load_weights=should_load_weights)
            for name in config.backbone.names
        }
    except BackboneError as error:
        raise error.named_in(resolved.where("backbone")) from error


def load_cut_backbone(
    config: RunConfig, name: str, *, should_load_weights: bool = True
) -> CutBackbone:
    """Create a backbone of the run and cut it into units.

    Args:
        config: the run file; its seed initializes weights that are not pretrained.
        name: timm name of the backbone.
        should_load_weights: whether to load the weights that the run file names.

    Returns:
        The cut backbone.
    """
    from mtlsearch.models import cut_backbone

    return cut_backbone(
        name,
        config.data.image_size,
        granularity=config.backbone.granularity,
        pretrained=config.backbone.pretrained and should_load_weights,
        checkpoint_path=config.backbone.checkpoint_path if should_load_weights else None,
        checkpoints=config.backbone.checkpoints if should_load_weights else None,
        seed=config.seed,
        channels=config.data.num_channels,
    )
