"""Preflight checks: what is checked before any training.

``check``, ``search`` and ``train-longer`` run the same :data:`PREFLIGHT_CHECKS`. To add a check,
write a function and append one entry, with a row in the tables of ``docs/data.md``. A warning
about images or labels is one entry of ``DATA_WARNINGS`` in ``mtlsearch/data/checks/_warnings.py``
instead. Limits are checked where the candidate space is built, because that requires the
backbone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mtlsearch.affinity import Affinity
from mtlsearch.errors import ConfigError, MtlsearchError, did_you_mean
from mtlsearch.plugin import Logger, Metric, Task
from mtlsearch.registry import ResolvedRun
from mtlsearch.results import Objective, objectives_of
from mtlsearch.runs._disk_use import DiskUse, estimate_disk_use
from mtlsearch.runs._exportable import ExportTrial
from mtlsearch.runs._loss_trial import try_losses
from mtlsearch.runs._warm_start import read_warm_start
from mtlsearch.study import RunDirectory, require_artifacts, require_storage

if TYPE_CHECKING:
    import torch

    from mtlsearch.data import CheckReport, DataModule
    from mtlsearch.models import CutBackbone
    from mtlsearch.training import BalancerMaker


class Stage(IntEnum):
    """What is open when a check runs; a later stage has all that an earlier one has.

    A check runs even if an earlier one failed, because ``check`` reports all errors.
    """

    RUN_FILE = 1
    """The run file is validated and its plugins are loaded. ``data`` and ``report`` are None."""
    LABELS = 2
    """The data sources are open: ``data`` and ``tasks`` are set. No image has been read."""
    IMAGES = 3
    """All images of ``train`` and ``val`` have been read: ``report`` is set, perhaps with
    problems. ``valid_report`` is set if it has none."""
    NETWORK = 4
    """The backbones are cut: ``cut_backbones`` is set. Nothing has been trained."""


@dataclass
class PreflightContext:
    """Values that preflight checks use.

    Attributes:
        resolved: the run file with its plugins.
        device: device of the training.
        run: run directory; None before it exists.
        num_processes: number of processes that train together.
        is_search: whether candidates are proposed, which needs the warm start.
        lists_all_kinds: whether each kind of problem of images is an error of its own. Otherwise
            one error lists all kinds.
        data: the data, from :attr:`Stage.LABELS` on.
        tasks: the tasks by name, from :attr:`Stage.LABELS` on.
        report: result of reading all images, from :attr:`Stage.IMAGES` on. It may contain
            problems.
        cut_backbones: the cut backbones by timm name, from :attr:`Stage.NETWORK` on.
        has_errors: whether a check has failed.
    """

    resolved: ResolvedRun
    device: torch.device
    run: RunDirectory | None = None
    num_processes: int = 1
    is_search: bool = True
    lists_all_kinds: bool = False
    data: DataModule | None = None
    tasks: Mapping[str, Task[Any]] = field(default_factory=dict)
    report: CheckReport | None = None
    cut_backbones: Mapping[str, CutBackbone] = field(default_factory=dict)
    has_errors: bool = False

    @property
    def valid_report(self) -> CheckReport | None:
        """Report about the images; None before it exists and if it contains problems."""
        return None if self.report is None or self.report.problems else self.report

    @cached_property
    def balancers(self) -> Mapping[str, BalancerMaker]:
        """Factories of the run's balancers by name."""
        return self.resolved.open_balancers()

    @cached_property
    def loggers(self) -> Mapping[str, Logger[Any]]:
        """The run's loggers by name."""
        return self.resolved.open_loggers()

    @cached_property
    def affinity(self) -> Affinity | None:
        """Task affinity for the warm start; None without one."""
        if not self.is_search:
            return None
        where = self.resolved.where("search", "warm_start")
        return read_warm_start(self.resolved.config.search, self.run, where=where)

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """Objectives of the search, from :attr:`Stage.LABELS` on."""
        where = self.resolved.where("search", "objectives")
        metrics = metrics_by_task(self.tasks)
        return objectives_of(self.resolved.config.search.objectives, metrics, where=where)


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One check before training.

    Attributes:
        name: the subject of the check.
        stage: the first stage at which it can run.
        require: raises an :class:`~mtlsearch.errors.MtlsearchError` if the run cannot work.
        warn: returns warnings about what is valid but suspicious.
    """

    name: str
    stage: Stage
    require: Callable[[PreflightContext], object] | None = None
    warn: Callable[[PreflightContext], Iterable[str]] | None = None

    def run(self, context: PreflightContext) -> tuple[Sequence[MtlsearchError], Sequence[str]]:
        """Return the errors and the warnings of the check.

        Args:
            context: the values of the stage.

        Returns:
            All errors and all warnings; no warnings if there is an error.
        """
        try:
            if self.require is not None:
                self.require(context)
            return (), () if self.warn is None else tuple(self.warn(context))
        except MtlsearchError as error:
            return (error,), ()
        except ExceptionGroup as group:
            errors = [error for error in group.exceptions if isinstance(error, MtlsearchError)]
            if len(errors) < len(group.exceptions):
                raise
            return errors, ()


def run_checks(
    stage: Stage,
    context: PreflightContext,
    *,
    on_warning: Callable[[str], None],
    on_error: Callable[[MtlsearchError], None] | None = None,
) -> None:
    """Run the preflight checks of a stage.

    Args:
        stage: the stage that was reached.
        context: the values of that stage.
        on_warning: called with every warning.
        on_error: called with every error; None raises the first one.

    Raises:
        MtlsearchError: a check failed, and ``on_error`` is None.
    """
    for check in PREFLIGHT_CHECKS:
        if check.stage is not stage:
            continue
        errors, warnings = check.run(context)
        context.has_errors |= bool(errors)
        for error in errors:
            if on_error is None:
                raise error
            on_error(error)
        for warning in warnings:
            on_warning(warning)


def metrics_by_task(tasks: Mapping[str, Task[Any]]) -> dict[str, Sequence[Metric]]:
    """Return the metrics of tasks by task name."""
    return {name: task.metrics for name, task in tasks.items()}


def _require_backbones(context: PreflightContext) -> None:
    from mtlsearch.models import require_backbone

    for name in context.resolved.config.backbone.names:
        require_backbone(name, where=context.resolved.where("backbone", "name"))


def _require_distillation_backbone(context: PreflightContext) -> None:
    config = context.resolved.config
    kinds = {entry.kind for entry in config.search.distillation_options}
    if "baseline" in kinds and len(config.backbone.names) > 1:
        raise ConfigError(
            "distillation from the baseline uses features of the backbone "
            f"{config.backbone.names[0]} alone, but `backbone.name` lists several",
            where=context.resolved.where("search", "distillation"),
            next_step="set one backbone, or `distillation: mutual`",
        )


def _require_balancers(context: PreflightContext) -> None:
    from mtlsearch.training import check_balancer_compatible, resolve_precision

    config = context.resolved.config
    for make in context.balancers.values():
        check_balancer_compatible(
            make(sorted(config.tasks)),
            precision=resolve_precision(config.train.precision, context.device),
            is_compiled=config.train.compile,
            accumulation_steps=config.train.accumulation_steps,
            num_processes=context.num_processes,
            where=context.resolved.where("search", "balancer"),
        )


def _require_storage(context: PreflightContext) -> None:
    require_storage(context.resolved.config.search.storage)
    require_artifacts(context.resolved.config.search.artifacts)


def _require_warm_start(context: PreflightContext) -> None:
    _ = context.affinity


def _require_loggers(context: PreflightContext) -> None:
    _ = context.loggers


def _require_objectives(context: PreflightContext) -> None:
    _ = context.objectives


def _require_rank_by(context: PreflightContext) -> None:
    for name, task in context.tasks.items():
        rank_by = context.resolved.config.tasks[name].rank_by
        # A relative change of a metric that can be negative, such as R2, has no meaning.
        countable = [spec.name for spec in task.metrics if spec.low >= 0]
        if rank_by is not None and rank_by not in countable:
            raise ConfigError(
                f"`tasks.{name}.rank_by` must be a metric of the task that is never negative, got "
                f"{rank_by!r}{did_you_mean(rank_by, countable)}",
                where=context.resolved.where("tasks", name, "rank_by"),
                allowed=countable,
            )


def _require_valid_images(context: PreflightContext) -> None:
    report = context.report
    if report is None or not report.problems:
        return
    if context.lists_all_kinds:
        raise ExceptionGroup("images or labels have problems", report.errors())
    report.raise_if_bad()


def _require_label_coverage(context: PreflightContext) -> None:
    from mtlsearch.data import check_label_coverage

    if context.valid_report is not None and context.data is not None:
        labels = context.resolved.config.labels
        check_label_coverage(context.valid_report, context.data.labels, labels)


def _require_named_classes(context: PreflightContext) -> None:
    from mtlsearch.data import check_named_classes

    if context.valid_report is not None and context.data is not None:
        labels = context.resolved.config.labels
        check_named_classes(context.valid_report, context.data.labels, labels)


def _warn_one_task(context: PreflightContext) -> Iterator[str]:
    tasks = [*context.resolved.config.tasks]
    is_extension = context.resolved.config.extends is not None
    if context.is_search and len(tasks) == 1 and not is_extension and not context.has_errors:
        yield (
            f"the run has one task, {tasks[0]!r}, so that there is nothing to share; add a task to "
            "`tasks`"
        )


def _warn_sources(context: PreflightContext) -> Sequence[str]:
    return () if context.data is None else context.data.source_warnings


def _warn_similar_classes(context: PreflightContext) -> Iterator[str]:
    labels = {} if context.data is None else context.data.labels
    for label in dict.fromkeys(context.resolved.config.labels.values()):
        names_by_key: dict[str, list[str]] = {}
        for name in labels[label].classes if label in labels else ():
            names_by_key.setdefault("".join(name.casefold().split()), []).append(name)
        for names in names_by_key.values():
            if len(names) > 1:
                yield (
                    f"label {label!r}: classes {' and '.join(map(repr, names))} differ in case or "
                    "blanks only; if they are one class, write it in one way"
                )


def _warn_batch_exceeds_train(context: PreflightContext) -> Iterator[str]:
    batch_size = context.resolved.config.train.batch_size
    if context.data is not None and batch_size > (num_images := context.data.size("train")):
        yield (
            f"`train.batch_size` is {batch_size}, more than the {num_images} training images: "
            "every epoch has a single step"
        )


def _warn_data(context: PreflightContext) -> Iterator[str]:
    from mtlsearch.data import data_warnings

    if context.valid_report is not None and context.data is not None:
        labels = context.resolved.config.labels
        yield from data_warnings(context.valid_report, context.data.labels, labels)


def _require_losses(context: PreflightContext) -> None:
    resolved, data = context.resolved, context.data
    if data is None:
        return
    # Built again, because reading the images counts their classes.
    tasks = resolved.build_tasks(data.labels)
    for cut in context.cut_backbones.values():
        try_losses(tasks, resolved.config.labels, data, cut.features, resolved.config.seed)


def _require_freezable(context: PreflightContext) -> None:
    num_frozen = context.resolved.config.train.freeze
    for name, cut in context.cut_backbones.items():
        if num_frozen > (num_units := len(cut.units)):
            raise ConfigError(
                f"`train.freeze` is {num_frozen}, but the backbone {name} is cut into "
                f"{num_units} units",
                where=context.resolved.where("train", "freeze"),
                allowed=[f"0 to {num_units}"],
                next_step=f"run `mtlsearch units {name}` for the units",
            )


def _require_disk_space(context: PreflightContext) -> None:
    if (estimate := _disk_use(context)) is not None:
        estimate.require_least()


def _warn_disk_space(context: PreflightContext) -> Iterable[str]:
    estimate = _disk_use(context)
    return () if estimate is None else estimate.warnings()


def _disk_use(context: PreflightContext) -> DiskUse | None:
    """Estimate the files of a search; None without a run directory."""
    if context.run is None or not context.is_search or not context.cut_backbones:
        return None
    num_parameters = max(
        sum(unit.parameters for unit in cut.units) for cut in context.cut_backbones.values()
    )
    config = context.resolved.config
    return estimate_disk_use(
        context.run, config.search, config.train, len(context.tasks) * num_parameters
    )


def _require_exportable(context: PreflightContext) -> None:
    for name, cut in context.cut_backbones.items():
        ExportTrial(context.resolved.config, cut, context.tasks, name).run()


PREFLIGHT_CHECKS: tuple[PreflightCheck, ...] = (
    PreflightCheck("distillation", Stage.RUN_FILE, require=_require_distillation_backbone),
    PreflightCheck("balancers", Stage.RUN_FILE, require=_require_balancers),
    PreflightCheck("backbones", Stage.RUN_FILE, require=_require_backbones),
    PreflightCheck("storage", Stage.RUN_FILE, require=_require_storage),
    PreflightCheck("warm start", Stage.RUN_FILE, require=_require_warm_start),
    PreflightCheck("loggers", Stage.LABELS, require=_require_loggers),
    PreflightCheck("objectives", Stage.LABELS, require=_require_objectives),
    PreflightCheck("rank by", Stage.LABELS, require=_require_rank_by),
    PreflightCheck("sources", Stage.LABELS, warn=_warn_sources),
    PreflightCheck("similar classes", Stage.LABELS, warn=_warn_similar_classes),
    PreflightCheck("batch size", Stage.LABELS, warn=_warn_batch_exceeds_train),
    PreflightCheck("images", Stage.IMAGES, require=_require_valid_images),
    PreflightCheck("label coverage", Stage.IMAGES, require=_require_label_coverage),
    PreflightCheck("named classes", Stage.IMAGES, require=_require_named_classes),
    PreflightCheck("data", Stage.IMAGES, warn=_warn_data),
    PreflightCheck("losses", Stage.NETWORK, require=_require_losses),
    PreflightCheck("freeze", Stage.NETWORK, require=_require_freezable),
    PreflightCheck("export", Stage.NETWORK, require=_require_exportable),
    PreflightCheck("one task", Stage.NETWORK, warn=_warn_one_task),
    PreflightCheck("disk space", Stage.NETWORK, require=_require_disk_space, warn=_warn_disk_space),
)
"""All preflight checks, in the order in which they run within a stage."""
