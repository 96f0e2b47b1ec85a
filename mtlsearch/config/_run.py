"""Run file as a value."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mtlsearch.config._backbone import BackboneConfig
from mtlsearch.config._data import DataConfig
from mtlsearch.config._extends import ExtendsConfig
from mtlsearch.config._limits import LimitsConfig
from mtlsearch.config._search import SearchConfig
from mtlsearch.config._section import Section
from mtlsearch.config._task_entry import TaskEntry, TaskName
from mtlsearch.config._train import TrainConfig


class RunConfig(Section):
    """All settings of a search."""

    seed: int = Field(0, ge=0, description="seed of the weights, the data order and the sampler")
    plugins: tuple[Path, ...] = Field((), description="folders whose modules are plugins")
    data: DataConfig
    tasks: dict[TaskName, TaskEntry] = Field(
        description="tasks to learn, as NAME: {kind: KIND}; see `mtlsearch list tasks`"
    )
    backbone: BackboneConfig = BackboneConfig()
    train: TrainConfig = TrainConfig()
    search: SearchConfig = SearchConfig()
    limits: LimitsConfig = LimitsConfig()
    extends: ExtendsConfig | None = Field(
        None, description="the network in use that the tasks extend; `mtlsearch extend` sets it"
    )

    @property
    def settings_digest(self) -> str:
        """Eight hexadecimal digits of the settings that determine the training of a candidate.

        Paths of this machine and logs do not count.
        """
        text = self.model_dump_json(
            include={
                "seed": True,
                "tasks": True,
                "train": True,
                "data": {"sources", "image_size", "channels", "pixel_range", "augment"},
                "backbone": {"name", "granularity", "pretrained"},
                "search": {"space", "early_stopping", "balancer", "distillation"},
            },
            exclude={"train": {"log"}},
        )
        if self.extends is not None:
            text += self.extends.weights
            text += f"unfreeze {self.extends.unfreeze}" if self.extends.unfreeze else ""
        return sha256(text.encode()).hexdigest()[:8]

    def label_of(self, task: str) -> str:
        """Return the label that a task learns.

        Args:
            task: name of the task.

        Returns:
            Name of the label.
        """
        return self.tasks[task].label or task

    @property
    def labels(self) -> dict[str, str]:
        """The label of each task, by task name."""
        return {task: self.label_of(task) for task in self.tasks}

    @field_validator("tasks", mode="before")
    @classmethod
    def _require_task(cls, value: Any) -> Any:
        if value is None or value == {}:
            raise ValueError(
                "`tasks` is empty; set `tasks: {NAME: {kind: KIND}}`, `mtlsearch list tasks` "
                "lists the kinds"
            )
        return value

    @model_validator(mode="after")
    def _check_rungs(self) -> RunConfig:
        early_stopping, epochs = self.search.early_stopping, self.train.epochs
        rungs = () if early_stopping is None else early_stopping.rungs_of(epochs)
        if rungs and rungs[-1] >= epochs:
            raise PydanticCustomError(
                "early_stopping",
                "`search.early_stopping.rungs` must be below `train.epochs` ({epochs}), got {rung}",
                {
                    "key": ["search", "early_stopping", "rungs"],
                    "epochs": epochs,
                    "rung": rungs[-1],
                },
            )
        return self

    @model_validator(mode="after")
    def _check_extends(self) -> RunConfig:
        if self.extends is None:
            return self
        if names := sorted(set(self.tasks) & set(self.extends.tasks)):
            raise PydanticCustomError(
                "extends",
                "the network in use has a task {name} already; set another name",
                {"key": ["tasks", names[0]], "name": names[0]},
            )
        for size in ("params", "flops", "latency_ms"):
            value = getattr(self.limits, size)
            if isinstance(value, str) and value.endswith("x"):
                raise PydanticCustomError(
                    "extends",
                    "`limits.{size}: {value}` does not apply to the extension of a network, which "
                    "has no mean single-task network; set an absolute number, or multiples of "
                    "independent or hard",
                    {"key": ["limits", size], "size": size, "value": value},
                )
        for key, is_set in self._excluded_by_extends().items():
            if is_set:
                raise PydanticCustomError(
                    "extends",
                    "`{dotted}` does not apply to the extension of a network; remove it",
                    {"key": key.split("."), "dotted": key},
                )
        return self

    def _excluded_by_extends(self) -> dict[str, bool]:
        """Return by key whether the run file sets what an extension cannot have."""
        search = self.search
        return {
            "backbone.name": len(self.backbone.names) > 1,
            "backbone.checkpoints": self.backbone.checkpoints is not None,
            "train.freeze": self.train.freeze > 0,
            "search.warm_start": search.warm_start is not None,
            "search.balancer": [entry.kind for entry in search.balancers] != ["static"],
            "search.distillation": {entry.kind for entry in search.distillation_options}
            != {"none"},
            "search.attention": any(search.attention_options),
        }

    @model_validator(mode="after")
    def _check_checkpoints(self) -> RunConfig:
        checkpoints = self.backbone.checkpoints
        if checkpoints is None:
            return self
        if set(checkpoints) != set(self.tasks):
            raise PydanticCustomError(
                "checkpoints",
                "`backbone.checkpoints` must contain one file per task ({tasks}), got {named}",
                {
                    "key": ["backbone", "checkpoints"],
                    "named": ", ".join(sorted(checkpoints)) or "no task",
                    "tasks": ", ".join(sorted(self.tasks)),
                },
            )
        if len(self.backbone.names) > 1:
            raise PydanticCustomError(
                "checkpoints",
                "`backbone.checkpoints` are weights of one model, but `backbone.name` lists "
                "{number}; set one name",
                {"key": ["backbone", "checkpoints"], "number": len(self.backbone.names)},
            )
        return self

    @model_validator(mode="after")
    def _check_loss_weights(self) -> RunConfig:
        weights = self.search.loss_weights
        if isinstance(weights, dict) and set(weights) != set(self.tasks):
            raise PydanticCustomError(
                "loss_weights",
                "`search.loss_weights` must contain one number per task ({tasks}), got {named}",
                {
                    "key": ["search", "loss_weights"],
                    "named": ", ".join(sorted(weights)) or "no task",
                    "tasks": ", ".join(sorted(self.tasks)),
                },
            )
        return self
