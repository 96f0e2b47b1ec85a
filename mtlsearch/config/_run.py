"""A whole run file, as a value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mtlsearch.config._backbone import BackboneConfig
from mtlsearch.config._data import DataConfig
from mtlsearch.config._limits import LimitsConfig
from mtlsearch.config._search import SearchConfig
from mtlsearch.config._section import OpenSection, Section
from mtlsearch.config._train import TrainConfig

TaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class TaskEntry(OpenSection):
    """One task; keys beside these are the settings of its kind."""

    kind: str = Field(description="name of the task kind, see `mtlsearch tasks`")
    label: str | None = Field(None, description="label it learns; by default its own name")


class RunConfig(Section):
    """All that a search depends on; saved with the run, resolved."""

    seed: int = Field(0, ge=0, description="seed of weights, data order and the sampler")
    plugins: tuple[Path, ...] = Field((), description="folders with plugins of your own")
    data: DataConfig
    tasks: dict[TaskName, TaskEntry] = Field(
        description="what to learn, as NAME: {kind: KIND}; `mtlsearch tasks` lists the kinds"
    )
    backbone: BackboneConfig = BackboneConfig()
    train: TrainConfig = TrainConfig()
    search: SearchConfig = SearchConfig()
    limits: LimitsConfig = LimitsConfig()

    def label_of(self, task: str) -> str:
        """The label that a task learns."""
        return self.tasks[task].label or task

    @property
    def labels(self) -> dict[str, str]:
        """Every task with the label that it learns."""
        return {task: self.label_of(task) for task in self.tasks}

    @field_validator("tasks", mode="before")
    @classmethod
    def _some_task(cls, value: Any) -> Any:
        if value is None or value == {}:
            raise ValueError(
                "no task is named; `tasks: {NAME: {kind: KIND}}` names one, `mtlsearch tasks` "
                "lists the kinds"
            )
        return value

    @model_validator(mode="after")
    def _rungs_come_before_the_end(self) -> RunConfig:
        halving, epochs = self.search.early_stopping, self.train.epochs
        rungs = () if halving is None else halving.rungs_of(epochs)
        if rungs and rungs[-1] >= epochs:
            raise PydanticCustomError(
                "early_stopping",
                "of {epochs} epochs (train.epochs) none is left after rung {rung}; rungs lie "
                "between 1 and {last}",
                {
                    "key": ["search", "early_stopping", "rungs"],
                    "epochs": epochs,
                    "rung": rungs[-1],
                    "last": epochs - 1,
                },
            )
        return self

    @model_validator(mode="after")
    def _weights_name_tasks(self) -> RunConfig:
        weights = self.search.loss_weights
        if isinstance(weights, dict) and set(weights) != set(self.tasks):
            raise PydanticCustomError(
                "loss_weights",
                "loss_weights names {named}, the tasks are {tasks}",
                {
                    "key": ["search", "loss_weights"],
                    "named": ", ".join(sorted(weights)) or "nothing",
                    "tasks": ", ".join(sorted(self.tasks)),
                },
            )
        return self
