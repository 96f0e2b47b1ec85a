"""The evaluator that measures a candidate by training it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlsearch.config import RunConfig, TrainConfig
from mtlsearch.errors import TrainingError
from mtlsearch.plan import Cost, SharingPlan, UnitSpec, plan_cost
from mtlsearch.plugin import STATIC, Candidate, LoggedTrial, Logger, Metric, Task
from mtlsearch.results import KeptCost, TaskResult
from mtlsearch.runs._kept_network import NUM_COMPARED, KeptNetwork
from mtlsearch.runs._teacher import find_teacher, load_teacher, require_teacher_backbone
from mtlsearch.runs._trial_log import TrialLog
from mtlsearch.search import Measurement, SearchProgress
from mtlsearch.study import RunDirectory

if TYPE_CHECKING:
    import torch

    from mtlsearch.data import DataModule
    from mtlsearch.models import CutBackbone, MultiTaskNetwork
    from mtlsearch.training import (
        AuxiliaryLoss,
        BalancerConfig,
        BalancerMaker,
        Checkpointing,
        EpochRecord,
        ProcessGroup,
        TrainJob,
    )

CHECKPOINT_SECONDS = 20.0
"""Seconds of training after which an epoch ends with a checkpoint."""

PRESERVATION = 10.0
"""Factor of the loss that keeps the features of tasks in use whose units are tuned."""


@dataclass(frozen=True, slots=True)
class TrainingEvaluator:
    """Trains candidates, writes their weights and returns their validation metrics.

    Attributes:
        config: the run file, of which ``train`` holds for every candidate.
        task_by_name: the tasks by name.
        label_by_task: the label that each task learns.
        data: the images.
        cut_backbones: the cut backbones by timm name.
        run: run directory for weights, checkpoints and logs.
        device: device of the training.
        balancers: factories of the balancers that candidates may name, without ``static``.
        loggers: the loggers of trainings, by name.
        process_group: the processes of a distributed training, of which rank 0 writes weights
            and logs; None for a single process.
        teacher_number: number of the trial that is the teacher; None for the ``independent``
            baseline.
        teacher_run: run directory of the teacher; None for ``run``.
        kept: the network in use that candidates extend; None for an ordinary run.
    """

    config: RunConfig
    task_by_name: Mapping[str, Task]
    label_by_task: Mapping[str, str]
    data: DataModule
    cut_backbones: Mapping[str, CutBackbone]
    run: RunDirectory
    device: torch.device
    balancers: Mapping[str, BalancerMaker] = field(default_factory=dict)
    loggers: Mapping[str, Logger[Any]] = field(default_factory=dict)
    process_group: ProcessGroup | None = None
    teacher_number: int | None = None
    teacher_run: RunDirectory | None = None
    kept: KeptNetwork | None = None
    _head_costs: dict[tuple[str, bool], dict[str, Cost]] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the trained tasks, sorted."""
        return tuple(sorted(self.task_by_name))

    @property
    def network_tasks(self) -> Mapping[str, Task]:
        """All tasks of a network by name: the trained ones and those that are kept."""
        return self.task_by_name if self.kept is None else {**self.kept.tasks, **self.task_by_name}

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """Return the units of a backbone.

        Args:
            backbone: timm name of the backbone.

        Returns:
            Units in depth order.
        """
        return self.cut_backbones[backbone].units

    def cost(self, candidate: Candidate) -> Cost:
        """Compute parameters and FLOPs from those of units and heads.

        Args:
            candidate: the candidate.

        Returns:
            The cost, heads included.

        Raises:
            PluginError: the head of a task cannot be built or raises an error.
        """
        name, with_attention = self._backbone(candidate), self.tasks_with_attention(candidate)
        heads = {
            task: self._head_cost(name, task, task in with_attention) for task in self.network_tasks
        }
        return plan_cost(candidate.plan, self.cut_backbones[name].units, heads.values())

    def build(self, candidate: Candidate) -> MultiTaskNetwork:
        """Build the untrained network of a candidate.

        The seed determines the weights of a unit and of a head, whatever the plan. The first
        ``train.freeze`` units are frozen.

        Args:
            candidate: the candidate.

        Returns:
            The network, on the CPU.
        """
        from mtlsearch.models import MultiTaskNetwork

        cut = self.cut_backbones[self._backbone(candidate)]
        heads = self._heads(cut, self.tasks_with_attention(candidate))
        network = MultiTaskNetwork(cut, candidate.plan, heads)
        network.freeze(self.config.train.freeze)
        if self.kept is not None:
            self.kept.start(network, candidate, cut)
        return network

    def check_kept(self, candidate: Candidate, network: MultiTaskNetwork) -> KeptCost | None:
        """Check that the kept tasks of a trained network have the outputs of the network in use.

        The first validation images are compared bit for bit, in evaluation mode, on the CPU.

        Args:
            candidate: the candidate of the network.
            network: the trained network.

        Returns:
            The cost of the network in use; None for an ordinary run.

        Raises:
            TrainingError: an output differs.
        """
        if self.kept is None:
            return None
        cut = self.cut_backbones[self._backbone(candidate)]
        compared = self.build(candidate)  # whose weights have the memory order of an export
        compared.load_state_dict(network.state_dict())
        images = next(iter(self.data.eval_batches("val", NUM_COMPARED))).images
        self.kept.check_unchanged(compared.eval(), images, cut)
        with_attention = self.kept.tasks_with_attention
        heads = [
            self._head_cost(cut.name, task, task in with_attention) for task in self.kept.tasks
        ]
        cost = plan_cost(self.kept.plan, cut.units, heads)
        return KeptCost(cost.parameters, cost.flops, self.kept.config.latency_ms)

    @property
    def epochs(self) -> int:
        """Number of epochs of a complete training."""
        return self.config.train.epochs

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """Train and evaluate a candidate; write its weights and its log.

        A training that pauses writes a checkpoint instead of weights. The next call with the
        same number resumes from it. A long training also writes one after some of its epochs, so
        that another process can continue it.

        Args:
            number: trial number, under which the files are written.
            candidate: the candidate.
            progress: callbacks for steps and epochs.
            epochs: train up to this epoch, from 1; None trains in full.

        Returns:
            Validation metrics after the last epoch and after every earlier one.

        Raises:
            TrainingError: the candidate cannot be trained.
            InfrastructureError: a disk or the memory is full, or the run directory was deleted.
        """
        from mtlsearch.training import (
            Checkpointing,
            ProcessGroup,
            resolve_train_config,
            save_weights,
            train,
        )

        group = self.process_group or ProcessGroup()
        config = resolve_train_config(self.config.train, self.config.data.image_size, self.device)
        until = config.epochs if epochs is None else epochs
        steps = until * self.data.train_steps(config.batch_size)
        progress.trial_started(number, self._describe(candidate), steps)
        network = self.build(candidate).to(self.device)
        is_search = self.run.config.is_file()  # which directories of second seeds do not have
        checkpoint = self.run.checkpoint(number, group.rank)
        # Processes of one training would write theirs after different epochs.
        interval = CHECKPOINT_SECONDS if group.size == 1 else None
        files = _WaitingFiles(self.run, progress)
        checkpointing = Checkpointing(until, checkpoint, interval, files.upload)
        files.fetch(checkpoint, is_replaced=True)
        with files.waiting():  # a teacher may be fetched
            job = self.job(candidate, network, config, group, checkpointing)
        log = self.log(number, candidate, progress, self.cost(candidate), until=until)
        cut = self.cut_backbones[self._backbone(candidate)]
        if self.kept is not None:
            self.kept.measure_used(candidate.plan, cut, config, self.device)
        with self._cached(job, number, progress) as job, log:
            try:
                result = train(job, log)
            except TrainingError:
                files.remove(checkpoint)
                raise
            kept = self.check_kept(candidate, network)
            over_limits = ""
            if kept is not None and self.kept is not None and until == config.epochs:
                kept, over_limits = self.kept.compare(kept, network, cut, config, self.device)
            if is_search:
                self.run.require_not_deleted(number)
            if group.rank == 0 and until == config.epochs:
                save_weights(network, self.run.weights(number))
            log.end("complete" if until == config.epochs else "paused")
        if group.rank == 0 and is_search:
            for file in (self.run.weights(number), self.run.history(number)):
                if file.is_file():
                    files.upload(file)
        if until == config.epochs:
            files.remove(checkpoint)
        results_by_epoch = {record.epoch + 1: self.results(record) for record in result.epochs}
        return Measurement(
            results_by_epoch[until],
            until,
            result.seconds,
            result.note,
            results_by_epoch,
            self.data.size("val"),
            kept,
            over_limits,
        )

    def log(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        cost: Cost,
        params: Mapping[str, str | int | float | bool] | None = None,
        until: int | None = None,
    ) -> TrialLog:
        """Return the log of a training, which hooks into it.

        Args:
            number: trial number, the folder of the training.
            candidate: what is trained.
            progress: callbacks for steps, epochs and warnings.
            cost: parameters and FLOPs of the network.
            params: further values of the trial by name; None for none.
            until: epoch after which the training pauses, from 1; None for a complete training.

        Returns:
            The log; without loggers on other ranks than 0.
        """
        is_first = self.process_group is None or self.process_group.rank == 0
        metrics = [
            f"{name}.{spec.name}"
            for name, task in self.task_by_name.items()
            for spec in task.metrics
        ]
        values = self._logged_params(candidate, cost)
        # The teacher of other seeds and longer trainings is in the run directory.
        root = (self.teacher_run or self.run).path
        return TrialLog(
            ProgressHooks(
                progress,
                until or self.config.train.epochs,
                # The number is that of a folder where the run of the teacher is another one.
                "the training" if self.teacher_run else f"trial {number}",
            ),
            self.loggers if is_first else {},
            LoggedTrial(
                number,
                root.absolute(),
                self.run.trial(number).absolute(),
                {**values, **(params or {})},
                metrics,
            ),
            progress.warning,
        )

    def _logged_params(
        self, candidate: Candidate, cost: Cost
    ) -> dict[str, str | int | float | bool]:
        config, distillation = self.config, candidate.distillation
        values: dict[str, str | int | float | bool] = {
            "plan": str(candidate.plan),
            "backbone": self._backbone(candidate),
            "learning_rate": candidate.learning_rate or config.train.learning_rate,
            "balancer": candidate.balancer,
            "distillation": "none" if distillation is None else distillation.kind,
            "attention": candidate.attention,
            "seed": config.seed,
            "epochs": config.train.epochs,
            "batch_size": config.train.batch_size,
            "parameters": cost.parameters,
            "flops": cost.flops,
        }
        if distillation is not None:
            values["alpha"] = distillation.alpha
        for task, weight in (candidate.loss_weights or {}).items():
            values[f"loss_weight.{task}"] = weight
        return values

    def _cached(
        self, job: TrainJob, number: int, progress: SearchProgress
    ) -> AbstractContextManager[TrainJob]:
        """Return the job, of an extension with the activations of frozen units on disk."""
        if self.kept is None or job.config.cache_prefix is None:
            return nullcontext(job)
        from mtlsearch.runs._cached_prefix import cached_prefix

        return cached_prefix(job, self.data, self.kept.tasks, self.run.trial(number), progress.note)

    def job(
        self,
        candidate: Candidate,
        network: MultiTaskNetwork,
        config: TrainConfig,
        process_group: ProcessGroup | None = None,
        checkpointing: Checkpointing | None = None,
    ) -> TrainJob:
        """Return everything that one training of a candidate needs.

        Args:
            candidate: the candidate.
            network: its network, on the device.
            config: the resolved ``train`` section.
            process_group: the processes of the training; None for a single process.
            checkpointing: where it pauses; None for a training without a pause.

        Returns:
            The job.
        """
        from mtlsearch.training import ProcessGroup, TrainJob

        stopping = self.config.search.early_stopping
        return TrainJob(
            network=network,
            tasks=self.task_by_name,
            data=self.data,
            config=config,
            label_by_task=self.label_by_task,
            loss_weights=candidate.loss_weights or dict.fromkeys(self.tasks, 1.0),
            learning_rate=candidate.learning_rate or config.learning_rate,
            device=self.device,
            seed=self.config.seed,
            process_group=process_group or ProcessGroup(),
            balancer=self._balancer(candidate, network),
            auxiliary_loss=self._auxiliary_loss(candidate, network),
            checkpointing=checkpointing,
            val_groups=self.data.groups("val"),
            rungs=() if stopping is None else stopping.rungs_of(config.epochs),
        )

    def results(self, record: EpochRecord) -> dict[str, TaskResult]:
        """Return the results of an epoch.

        Args:
            record: losses and metrics of the epoch.

        Returns:
            Metrics with their directions and errors, by task.
        """
        return {
            name: TaskResult(
                record.metrics[name],
                self.metric_specs(name),
                record.per_class.get(name, {}),
                self.data.num_labeled("val", self.label_by_task[name]),
                replicates=record.replicates.get(name, {}),
            )
            for name in self.task_by_name
        }

    def metric_specs(self, name: str) -> tuple[Metric, ...]:
        """Return the metrics of a task, of which Δm counts only ``rank_by`` if it is set.

        Args:
            name: name of the task.

        Returns:
            Name, direction and bounds of each metric.
        """
        task = self.task_by_name[name]
        rank_by = self.config.tasks[name].rank_by
        if rank_by is None:
            return tuple(task.metrics)
        return tuple(replace(spec, in_delta_m=spec.name == rank_by) for spec in task.metrics)

    def _balancer(self, candidate: Candidate, network: MultiTaskNetwork) -> BalancerConfig | None:
        """Return the balancer of a candidate with its shared groups; None if it is static."""
        from mtlsearch.training import BalancerConfig, shared_groups

        if candidate.balancer == STATIC:
            return None
        make = self.balancers.get(candidate.balancer)
        if make is not None:
            return BalancerConfig(make, shared_groups(network))
        raise TrainingError(
            f"the candidate has the balancer {candidate.balancer!r}, which the run file does not "
            "name",
            where="search.balancer",
            allowed=sorted(self.balancers),
            next_step="add it to `search.balancer`",
        )

    def _describe(self, candidate: Candidate) -> str:
        """Return the plan of a candidate, with its backbone if there are several."""
        plan = str(candidate.plan)
        return f"{plan}, on {self._backbone(candidate)}" if len(self.cut_backbones) > 1 else plan

    def _backbone(self, candidate: Candidate) -> str:
        return candidate.backbone or self.config.backbone.names[0]

    def _auxiliary_loss(
        self, candidate: Candidate, network: MultiTaskNetwork
    ) -> AuxiliaryLoss | None:
        """Return the auxiliary loss of a candidate; None without distillation."""
        from mtlsearch.training import distillation_loss, mutual_loss

        distillation = candidate.distillation
        if self.kept is not None and (tasks := self.kept.tuned_tasks(candidate.plan)):
            from copy import deepcopy

            from mtlsearch.training import preservation_loss

            teacher = self.kept.network(self.cut_backbones[self._backbone(candidate)])
            return preservation_loss(PRESERVATION, deepcopy(teacher), tasks)
        if distillation is None:
            return None
        if distillation.kind == "mutual":
            return mutual_loss(network, distillation.alpha)
        return distillation_loss(network, distillation.alpha, self._teacher(candidate))

    def _teacher(self, candidate: Candidate) -> MultiTaskNetwork:
        first = self.config.backbone.names[0]
        require_teacher_backbone(self._backbone(candidate), first)
        run, number = self.teacher_run or self.run, self.teacher_number
        if number is None:
            number = find_teacher(run, self.config)
        plan = SharingPlan.independent(self.tasks, len(self.units(first)))
        return load_teacher(self.build(Candidate(plan)), run.fetch(run.weights(number)))

    def tasks_with_attention(self, candidate: Candidate) -> frozenset[str]:
        """Return the tasks whose heads have attention gates: those that share at least one unit.

        Args:
            candidate: the candidate.

        Returns:
            Names of tasks; without attention, those of the network in use.
        """
        if not candidate.attention:
            return frozenset() if self.kept is None else self.kept.tasks_with_attention
        return frozenset(task for _, group in candidate.plan.shared_groups() for task in group)

    def _head_cost(self, name: str, task: str, has_attention: bool) -> Cost:
        from mtlsearch.models import head_cost
        from mtlsearch.training import attribute_errors_to

        cut = self.cut_backbones[name]
        if (name, has_attention) not in self._head_costs:
            heads = self._heads(cut, self.network_tasks if has_attention else ())
            costs = {}
            for head_task, head in heads.items():
                # The head of a plugin runs here for the first time.
                with attribute_errors_to(self.network_tasks[head_task], "head"):
                    costs[head_task] = head_cost(head, cut.features)
            self._head_costs[name, has_attention] = costs
        return self._head_costs[name, has_attention][task]

    def _heads(
        self, cut: CutBackbone, with_attention: Collection[str]
    ) -> dict[str, torch.nn.Module]:
        from mtlsearch.training import seeded_heads

        return seeded_heads(self.network_tasks, cut.features, self.config.seed, with_attention)


@dataclass(frozen=True, slots=True)
class _WaitingFiles:
    """Files of a run directory whose transfers do not count for ``search.trial_timeout``."""

    run: RunDirectory
    progress: SearchProgress

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self.progress.waiting(True)
        try:
            yield
        finally:
            self.progress.waiting(False)

    def fetch(self, file: Path, *, is_replaced: bool = False) -> None:
        with self.waiting():
            self.run.fetch(file, is_replaced=is_replaced)

    def upload(self, file: Path) -> None:
        with self.waiting():
            self.run.upload(file)

    def remove(self, file: Path) -> None:
        with self.waiting():
            self.run.remove(file)


@dataclass(frozen=True, slots=True)
class ProgressHooks:
    """Hooks of a training that call the callbacks of the search.

    Attributes:
        progress: callbacks of the search.
        until: epoch after which the training pauses, from 1; None for a complete training.
        name: what is trained, for messages.
    """

    progress: SearchProgress
    until: int | None = None
    name: str = "the training"

    def on_start(self, epochs: Sequence[EpochRecord]) -> None:
        if epochs:
            total = "" if self.until is None else f" of {self.until}"
            self.progress.note(f"{self.name} resumes after epoch {len(epochs)}{total}")

    def on_step(self, num_steps: int, total: int, loss: float) -> None:
        self.progress.step(num_steps, loss)

    def on_epoch(self, record: EpochRecord, total: int) -> None:
        self.progress.epoch_finished(record.epoch + 1, self.until or total, record.metrics)

    def notify(self, text: str) -> None:
        self.progress.note(text)
