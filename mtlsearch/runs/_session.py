"""A run file made real: its data opened, its tasks and backbones ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtlsearch.config import RunConfig
from mtlsearch.errors import BackboneError
from mtlsearch.plugin import Metric, Task
from mtlsearch.registry import ResolvedRun
from mtlsearch.results import Objective, objectives_of
from mtlsearch.runs._latency import measure_network_latency
from mtlsearch.runs._prior import read_prior
from mtlsearch.runs._training_evaluator import TrainingEvaluator
from mtlsearch.search import (
    CandidateSpace,
    SearchProgress,
    add_limits,
    check_distillation_backbones,
)
from mtlsearch.study import RunDirectory, require_storage

if TYPE_CHECKING:
    import torch

    from mtlsearch.data import DataModule
    from mtlsearch.models import CutBackbone
    from mtlsearch.training import BalancerMaker, ProcessGroup


@dataclass(frozen=True, slots=True)
class Session:
    """All that searching, training and exporting one run needs.

    Attributes:
        config: the run file.
        data: its images.
        evaluator: trains candidates.
        space: proposes them.
    """

    config: RunConfig
    data: DataModule
    evaluator: TrainingEvaluator
    space: CandidateSpace

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is wanted of a trial."""
        return objectives_of(self.config.search.objectives, _metrics(self.evaluator.task_of))


def open_session(
    resolved: ResolvedRun,
    run: RunDirectory,
    *,
    device: torch.device,
    progress: SearchProgress,
    check: bool = True,
    ranks: ProcessGroup | None = None,
) -> Session:
    """Open the data, check all of it, and make ready what a search needs.

    Args:
        resolved: the run file with its plugins.
        run: where trials leave their weights.
        device: where networks are trained.
        progress: is told how far the reading is.
        check: read every training and validation image first; export skips that.
        ranks: the processes that train together; None is this one alone.

    Raises:
        ConfigError: the run file asks for what the data or the plugins do not have.
        DataError: files or rows are bad; the message names the first ones. Or a task has no
            label to learn from or to be measured by.
        UnknownNameError: timm has no backbone of that name.
        BackboneError: a backbone cannot be made, loaded or cut.
        TrainingError: a balancer does not work with the way of training.
    """
    from mtlsearch.data import check_label_coverage, open_data

    config = resolved.config
    check_distillation_backbones(resolved.config, where=resolved.where("search", "distillation"))
    balancers = _balancers(resolved, device, processes=ranks.count if ranks else 1)
    cuts = _cuts(resolved)
    first = cuts[config.backbone.names[0]]
    data = open_data(
        resolved.open_sources(),
        config.data,
        mean=first.mean,
        std=first.std,
        seed=config.seed,
        device=device,
    )
    space = resolved.build_space()
    named = resolved.build_tasks(data.labels)  # what is wrong is said before images are read
    if check:
        _require_objectives(resolved, named)
        report = data.check(lambda done, total: progress.stage("reading images", done, total))
        report.raise_if_bad()
        check_label_coverage(report, config.labels)
    tasks = resolved.build_tasks(data.labels)  # with the classes counted
    evaluator = TrainingEvaluator(config, tasks, data, cuts, run, device, balancers, ranks)
    candidates = CandidateSpace(
        space=space,
        config=config.search,
        tasks=evaluator.tasks,
        backbones=config.backbone.names,
        learning_rate=config.train.learning_rate,
        units_of=evaluator.units,
    )
    batch = config.limits.latency_batch or config.train.batch_size
    candidates = add_limits(
        candidates,
        config.limits,
        evaluator.cost,
        measure_latency=lambda candidate: measure_network_latency(
            evaluator, candidate, batch=batch
        ),
        where=lambda key: resolved.where("limits", key),
    )
    return Session(config, data, evaluator, candidates)


def check_search(
    resolved: ResolvedRun,
    tasks: Mapping[str, Task[Any]],
    device: torch.device,
) -> None:
    """Be sure of what a run file says of its search, as far as nothing need be trained for it.

    It leaves open whether the budget has room, whether a database answers, and whether the prior
    is of these tasks and units: a search says so before it trains.

    Args:
        resolved: the run file with its plugins.
        tasks: the run's tasks.
        device: where networks would be trained.

    Raises:
        ConfigError: there is no such objective, or knowledge does not fit the backbones.
        RunError: the storage is no URL, or there is no affinity where the prior says.
        TrainingError: a balancer does not work with the way of training.
    """
    check_distillation_backbones(resolved.config, where=resolved.where("search", "distillation"))
    _balancers(resolved, device, processes=1)
    _require_objectives(resolved, tasks)
    require_storage(resolved.config.search.storage)
    read_prior(resolved.config.search, None, where=resolved.where("search", "warm_start"))


def _require_objectives(resolved: ResolvedRun, tasks: Mapping[str, Task[Any]]) -> None:
    where = resolved.where("search", "objectives")
    objectives_of(resolved.config.search.objectives, _metrics(tasks), where=where)


def _metrics(tasks: Mapping[str, Task[Any]]) -> dict[str, Sequence[Metric]]:
    return {name: task.metrics for name, task in tasks.items()}


def _balancers(
    resolved: ResolvedRun, device: torch.device, *, processes: int
) -> dict[str, BalancerMaker]:
    """The run's balancers, all of which its way of training allows."""
    from mtlsearch.training import check_balancer_compatible, resolve_precision

    budget = resolved.config.train
    makers = resolved.open_balancers()
    for make in makers.values():
        check_balancer_compatible(
            make(sorted(resolved.config.tasks)),
            precision=resolve_precision(budget.precision, device),
            compiles=budget.compile,
            parts=budget.accumulation_steps,
            processes=processes,
            where=resolved.where("search", "balancer"),
        )
    return makers


def _cuts(resolved: ResolvedRun) -> dict[str, CutBackbone]:
    from mtlsearch.models import require_backbone

    config = resolved.config
    for name in config.backbone.names:
        require_backbone(name, where=resolved.where("backbone", "name"))
    try:
        return {name: cut(config, name) for name in config.backbone.names}
    except BackboneError as error:
        raise error.named_in(resolved.where("backbone")) from error


def cut(config: RunConfig, name: str) -> CutBackbone:
    """A backbone of the run, with the weights that its seed gives where it is not trained."""
    from mtlsearch.models import cut_backbone

    return cut_backbone(
        name,
        config.data.image_size,
        granularity=config.backbone.granularity,
        pretrained=config.backbone.pretrained,
        checkpoint_path=config.backbone.checkpoint_path,
        seed=config.seed,
    )
