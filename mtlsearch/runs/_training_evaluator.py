"""Measuring a candidate by training it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtlsearch.config import RunConfig
from mtlsearch.errors import TrainingError
from mtlsearch.plan import Cost, UnitSpec, plan_cost
from mtlsearch.plugin import STATIC, Candidate, Task
from mtlsearch.results import TaskResult
from mtlsearch.runs._history import write_history
from mtlsearch.runs._teacher import load_teacher
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
        EpochRecord,
        ProcessGroup,
    )


@dataclass(frozen=True, slots=True)
class TrainingEvaluator:
    """Trains candidates on images, keeps their weights and reads the validation metrics.

    Attributes:
        config: the run file; its ``train`` part is every trial's budget.
        task_of: the tasks by name.
        data: the images.
        cuts: the cut backbones by name.
        run: where weights and histories go.
        device: where networks are trained.
        balancers: what makes each balancer that candidates may name; static weights need none.
        ranks: the processes that train together; None is this one alone. The first of them
            keeps weights and histories.
        teacher: number of the trial whose network teaches; None is the independent baseline.
        taught_by: the run that the teacher is of; None is ``run``.
    """

    config: RunConfig
    task_of: Mapping[str, Task]
    data: DataModule
    cuts: Mapping[str, CutBackbone]
    run: RunDirectory
    device: torch.device
    balancers: Mapping[str, BalancerMaker] = field(default_factory=dict)
    ranks: ProcessGroup | None = None
    teacher: int | None = None
    taught_by: RunDirectory | None = None
    _head_costs: dict[tuple[str, bool], dict[str, Cost]] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, sorted."""
        return tuple(sorted(self.task_of))

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """The units of a backbone, in depth order."""
        return self.cuts[backbone].units

    def cost(self, candidate: Candidate) -> Cost:
        """Parameters and FLOPs, by arithmetic on units and heads.

        Raises:
            PluginError: a task's head cannot be built, or not be run on the backbone's levels.
        """
        name, gated = self._backbone(candidate), self._gated(candidate)
        heads = {task: self._head_cost(name, task, task in gated) for task in self.tasks}
        return plan_cost(candidate.plan, self.cuts[name].units, heads.values())

    def build(self, candidate: Candidate) -> MultiTaskNetwork:
        """The untrained network, on the CPU: the same weights for every plan."""
        from mtlsearch.models import MultiTaskNetwork

        cut = self.cuts[self._backbone(candidate)]
        return MultiTaskNetwork(cut, candidate.plan, self._heads(cut, self._gated(candidate)))

    @property
    def epochs(self) -> int:
        """How many epochs a whole training has."""
        return self.config.train.epochs

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """Train, evaluate, keep weights and history; see :class:`Evaluator`.

        A training that stops early leaves a checkpoint in place of weights, and another call
        goes on from it.
        """
        from mtlsearch.training import (
            Checkpointing,
            ProcessGroup,
            resolve_train_config,
            save_weights,
            train,
        )

        ranks = self.ranks or ProcessGroup()
        config = resolve_train_config(self.config.train, self.config.data.image_size, self.device)
        until = config.epochs if epochs is None else epochs
        steps = until * self.data.train_steps(config.batch_size)
        progress.trial_started(number, self._called(candidate), steps)
        network = self.build(candidate).to(self.device)
        result = train(
            network,
            self.task_of,
            self.data,
            config,
            labels_of=self.config.labels,
            loss_weights=candidate.loss_weights or dict.fromkeys(self.tasks, 1.0),
            learning_rate=candidate.learning_rate or config.learning_rate,
            device=self.device,
            seed=self.config.seed,
            progress=_Relay(progress),
            ranks=ranks,
            balancer=self._balancer(candidate, network),
            lesson=self._lesson(candidate, network),
            pause=Checkpointing(until, self.run.checkpoint(number, ranks.rank)),
        )
        if ranks.rank == 0:
            if until == config.epochs:
                save_weights(network, self.run.weights(number))
            write_history(self.run.history(number), result.epochs)
        curve = {record.epoch + 1: self._results(record) for record in result.epochs}
        images = self.data.size("val")
        return Measurement(curve[until], until, result.seconds, result.note, curve, images)

    def _results(self, record: EpochRecord) -> dict[str, TaskResult]:
        return {
            name: TaskResult(record.metrics[name], tuple(task.metrics))
            for name, task in self.task_of.items()
        }

    def _balancer(self, candidate: Candidate, network: MultiTaskNetwork) -> BalancerConfig | None:
        """How the candidate's tasks are balanced; None where its weights are static."""
        from mtlsearch.training import BalancerConfig, shared_groups

        make = self.balancers.get(candidate.balancer)
        if make is not None:
            return BalancerConfig(make, shared_groups(network))
        if candidate.balancer == STATIC:
            return None
        raise TrainingError(
            f"the space asks for the balance {candidate.balancer!r}, which the run does not have",
            where="search.balancer",
            allowed=sorted(self.balancers),
            next_step="name it in search.balancer",
        )

    def _called(self, candidate: Candidate) -> str:
        """A candidate for people: its plan, on its backbone where there are several."""
        plan = str(candidate.plan)
        return f"{plan}, on {self._backbone(candidate)}" if len(self.cuts) > 1 else plan

    def _backbone(self, candidate: Candidate) -> str:
        return candidate.backbone or self.config.backbone.names[0]

    def _lesson(self, candidate: Candidate, network: MultiTaskNetwork) -> AuxiliaryLoss | None:
        """What the candidate's tasks learn from features; None where it is nothing."""
        from mtlsearch.training import distillation_loss, mutual_loss

        distillation = candidate.distillation
        if distillation is None:
            return None
        if distillation.kind == "mutual":
            return mutual_loss(network, distillation.alpha)
        return distillation_loss(
            network, distillation.alpha, load_teacher(self, self._backbone(candidate))
        )

    def _gated(self, candidate: Candidate) -> frozenset[str]:
        """The tasks that have attention: those that share something."""
        if not candidate.attention:
            return frozenset()
        return frozenset(task for _, group in candidate.plan.shared_groups() for task in group)

    def _head_cost(self, name: str, task: str, gated: bool) -> Cost:
        from mtlsearch.models import head_cost
        from mtlsearch.training import attribute_errors_to

        cut = self.cuts[name]
        if (name, gated) not in self._head_costs:
            heads = self._heads(cut, self.tasks if gated else ())
            costs = {}
            for at, head in heads.items():
                with attribute_errors_to(
                    self.task_of[at], "head"
                ):  # it runs here for the first time
                    costs[at] = head_cost(head, cut.features)
            self._head_costs[name, gated] = costs
        return self._head_costs[name, gated][task]

    def _heads(self, cut: CutBackbone, gated: Collection[str]) -> dict[str, torch.nn.Module]:
        from mtlsearch.training import seeded_heads

        return seeded_heads(self.task_of, cut.features, self.config.seed, gated)


@dataclass(frozen=True, slots=True)
class _Relay:
    """Passes a training's progress on to whoever watches the search."""

    progress: SearchProgress

    def step(self, done: int, total: int, loss: float) -> None:
        self.progress.step(done, loss)

    def epoch(self, record: EpochRecord, total: int) -> None:
        self.progress.epoch_finished(record.epoch + 1, total, record.metrics)

    def note(self, text: str) -> None:
        self.progress.note(text)
