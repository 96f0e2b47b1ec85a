"""The network in use of an extension: its tasks are kept, its weights do not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.config import ExtendsConfig, RunConfig, TrainConfig
from mtlsearch.errors import ConfigError, RunError, TrainingError
from mtlsearch.plan import SharingPlan, last_shared
from mtlsearch.plugin import Candidate, Task
from mtlsearch.registry import ResolvedRun
from mtlsearch.results import KeptCost
from mtlsearch.study import RunDirectory, with_artifacts

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mtlsearch.models import CutBackbone, MultiTaskNetwork
    from mtlsearch.runs._kept_validation import KeptValidation

NUM_COMPARED = 4
"""Images on which the outputs of the kept tasks are compared."""


@dataclass(frozen=True, slots=True)
class KeptNetwork:
    """The network in use that a run extends.

    Attributes:
        config: the section ``extends`` of the run file.
        candidate: its candidate.
        tasks: its tasks by name, which are kept.
        weights: safetensors file of its weights.
        validation: measures what its tasks lose if units are tuned; None if none is.
    """

    config: ExtendsConfig
    candidate: Candidate
    tasks: Mapping[str, Task]
    weights: Path
    validation: KeptValidation | None = None
    _networks: dict[str, MultiTaskNetwork] = field(default_factory=dict)

    @property
    def plan(self) -> SharingPlan:
        """Its sharing plan."""
        return self.candidate.plan

    @property
    def tasks_with_attention(self) -> frozenset[str]:
        """Its tasks with attention gates."""
        return frozenset(self.config.tasks_with_attention)

    def without_tuning(self) -> KeptNetwork:
        """Return the network in use, of which no unit is tuned.

        Returns:
            A copy with the same weights.
        """
        config = self.config.model_copy(update={"unfreeze": 0})
        return replace(self, config=config, validation=None)

    def tuned_copies(self, plan: SharingPlan) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Return the copies of units that an extended network tunes.

        Args:
            plan: plan of the extended network.

        Returns:
            Unit and tasks of each copy; empty unless ``unfreeze`` is set.
        """
        return last_shared(plan, self.tasks, self.config.unfreeze)

    def tuned_tasks(self, plan: SharingPlan) -> tuple[str, ...]:
        """Return the kept tasks whose outputs an extended network changes.

        Args:
            plan: plan of the extended network.

        Returns:
            Names, sorted: those that use a tuned copy.
        """
        groups = [set(group) for _, group in self.tuned_copies(plan)]
        return tuple(sorted(set(self.tasks) & set[str]().union(*groups)))

    def network(self, cut: CutBackbone) -> MultiTaskNetwork:
        """Return the network in use, built once per process.

        Args:
            cut: the cut backbone.

        Returns:
            The network with its weights, in eval mode, on the CPU.

        Raises:
            RunError: the weights are damaged or belong to another network.
        """
        if cut.name not in self._networks:
            from mtlsearch.models import MultiTaskNetwork
            from mtlsearch.training import load_weights, seeded_heads

            self._check_digest()
            heads = seeded_heads(self.tasks, cut.features, 0, self.tasks_with_attention)
            network = MultiTaskNetwork(cut, self.plan, heads)
            load_weights(network, self.weights)
            self._networks[cut.name] = network.eval()
        return self._networks[cut.name]

    def start(self, network: MultiTaskNetwork, candidate: Candidate, cut: CutBackbone) -> None:
        """Give an extended network the weights of the network in use, and freeze what it uses.

        Copies of new tasks start from the weights of their origins. A new task without an origin
        keeps the weights of the backbone in its own copies.

        Args:
            network: the extended network.
            candidate: its candidate.
            cut: the cut backbone.
        """
        kept = self.network(cut)
        # Before its branch point, the origin of a task may have other weights than the path that
        # the task follows. So the weights of the kept tasks are the last ones.
        starts = [*(candidate.origins or {}).items(), *zip(self.tasks, self.tasks, strict=True)]
        for task, origin in starts:
            state = kept.backbones.task_model(origin).state_dict()
            network.backbones.task_model(task).load_state_dict(state)
        for task in self.tasks:
            network.head(task).load_state_dict(kept.head(task).state_dict())
        network.freeze_tasks(tuple(self.tasks))
        network.tune_copies(self.tuned_copies(candidate.plan))

    def check_unchanged(self, network: MultiTaskNetwork, images: Tensor, cut: CutBackbone) -> None:
        """Check that the outputs of the kept tasks are those of the network in use, bit for bit.

        Of tasks that use a tuned unit, everything else is compared: other weights, running
        statistics and head.

        Args:
            network: the extended network, in eval mode, on the CPU.
            images: prepared images ``[N, C, H, W]``.
            cut: the cut backbone.

        Raises:
            TrainingError: an output differs, or a weight that is not tuned.
        """
        import torch

        used, tuned = self.network(cut), self.tuned_tasks(network.plan)
        tasks = tuple(set(self.tasks).difference(tuned))
        with torch.no_grad():
            expected = used(images[:NUM_COMPARED].cpu().float(), tasks) if tasks else {}
            actual = network(images[:NUM_COMPARED].cpu().float(), tasks) if tasks else {}
        for task, outputs in expected.items():
            for name, value in outputs.items():
                if not torch.equal(value, actual[task][name]):
                    raise self._changed(f"the output {name!r} of task {task!r}")
        tuned_ids = {
            id(parameter)
            for unit, group in self.tuned_copies(network.plan)
            for parameter in network.unit_parameters(unit, group).values()
        }
        for task in tuned:
            for of_used, module in (
                (used.head(task), network.head(task)),
                (used.backbones.task_model(task), network.backbones.task_model(task)),
            ):
                frozen = of_used.state_dict()
                for name, tensor in module.state_dict(keep_vars=True).items():
                    if id(tensor) not in tuned_ids and not torch.equal(tensor, frozen[name]):
                        raise self._changed(f"{name!r} of task {task!r}")

    def _changed(self, what: str) -> TrainingError:
        return TrainingError(
            f"{what} is not that of the network in use",
            where=f"trial {self.config.trial} of {self.config.run}",
            next_step="report this as an error of mtlsearch; the network in use is unchanged",
        )

    def measure_used(
        self, plan: SharingPlan, cut: CutBackbone, config: TrainConfig, device: torch.device
    ) -> None:
        """Measure the network in use before a training that tunes units of it.

        Args:
            plan: plan of the extended network.
            cut: the cut backbone.
            config: the resolved ``train`` section.
            device: device of the evaluation.

        Raises:
            ConfigError: a folder of its validation images does not exist.
            DataError: an image cannot be read, or no image has a label of a task.
        """
        tasks = self.tuned_tasks(plan)
        if tasks and self.validation is not None:
            self.validation.measure_before(self.network(cut), tasks, cut, config, device)

    def compare(
        self,
        cost: KeptCost,
        network: MultiTaskNetwork,
        cut: CutBackbone,
        config: TrainConfig,
        device: torch.device,
    ) -> tuple[KeptCost, str]:
        """Measure what the kept tasks lose whose units a trained network has tuned.

        Args:
            cost: cost of the network in use.
            network: the extended network, on ``device``.
            cut: the cut backbone.
            config: the resolved ``train`` section.
            device: device of the evaluation.

        Returns:
            The cost with the drops, and which drops exceed the limit; empty if none does.
        """
        tasks, limit = self.tuned_tasks(network.plan), self.config.max_drop
        if not tasks or self.validation is None:
            return cost, ""
        used = self.network(cut)
        drops, metrics = self.validation.drops(network, used, tasks, cut, config, device)
        texts = [f"{task} drops {drop:.3g} %" for task, drop in drops.items() if drop > limit]
        over_limits = f"{', '.join(texts)}, limit {limit:g} %" if texts else ""
        return replace(cost, drops=drops, metrics=metrics), over_limits

    def _check_digest(self) -> None:
        with self.weights.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if digest != self.config.weights:
            raise RunError(
                "the weights of the network in use are not those with which the run started",
                where=str(self.weights),
                next_step="restore the file",
            )


def refuse_extension(config: RunConfig, command: str) -> None:
    """Check that a run does not extend a network in use.

    Args:
        config: the run file.
        command: the command that trains all tasks of a network.

    Raises:
        ConfigError: the run extends a network in use.
    """
    if config.extends is not None:
        raise ConfigError(
            f"`mtlsearch {command}` trains all tasks of a network, and an extension keeps "
            f"{', '.join(config.extends.tasks)}",
            where="extends",
            next_step=f"use {command} on the run of the network in use",
        )


def open_kept_network(resolved: ResolvedRun, run: RunDirectory) -> KeptNetwork | None:
    """Return the network in use that a run extends; None for an ordinary run.

    Args:
        resolved: the run file with its plugins.
        run: run directory.

    Returns:
        The network; its weights are read when it is built.

    Raises:
        ConfigError: a label of the kept tasks is invalid.
        InfrastructureError: the bucket of the run does not answer.
        PlanError: the candidate is invalid.
        RunError: the weights are missing, or the bucket refuses the request.
    """
    config, search = resolved.config.extends, resolved.config.search
    if config is None:
        return None
    run = with_artifacts(run, search.artifacts, resolved.config.settings_digest)
    weights = run.fetch(run.kept_weights)
    if not weights.is_file():
        raise RunError(
            "the weights of the network in use are missing",
            where=str(weights),
            next_step="copy the file from the machine on which `mtlsearch extend` ran, or repeat "
            "the command there with `search.artifacts`, from which all machines read it",
        )
    tasks, validation = resolved.build_kept_tasks(), None
    if config.unfreeze:
        from mtlsearch.runs._kept_validation import KeptValidation

        validation = KeptValidation(resolved, tasks)
    return KeptNetwork(config, Candidate.from_json(config.candidate), tasks, weights, validation)
