"""Section ``extends`` of a run file: the network in use, whose tasks are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeInt, field_validator

from mtlsearch.config._data import DataConfig
from mtlsearch.config._section import Section
from mtlsearch.config._task_entry import TaskEntry, TaskName


class KeptImages(Section):
    """The images on which tasks of the network in use were validated."""

    tasks: tuple[TaskName, ...] = Field(description="the tasks")
    data: dict[str, Any] = Field(description="the `data` section of their run")
    seed: NonNegativeInt = Field(0, description="seed of that run, which determines the splits")

    @property
    def config(self) -> DataConfig:
        """The section ``data``, typed."""
        return DataConfig.model_validate(self.data)

    @field_validator("data")
    @classmethod
    def _check_data(cls, value: dict[str, Any]) -> dict[str, Any]:
        DataConfig.model_validate(value)
        return value


class ExtendsConfig(Section):
    """The network in use, as ``mtlsearch extend`` writes it.

    It contains all but the weights, which are in the run directory too. So the run does not need
    the run that it extends.
    """

    run: Path = Field(
        description="run directory or bundle of the network in use; the extension does not need it"
    )
    trial: NonNegativeInt = Field(description="number of its trial")
    weights: str = Field(
        pattern="^[0-9a-f]{64}$", description="SHA-256 of the weights in the run directory"
    )
    candidate: dict[str, Any] = Field(description="its candidate: the sharing plan and the rest")
    tasks: dict[TaskName, TaskEntry] = Field(description="its tasks, which are kept")
    tasks_with_attention: tuple[TaskName, ...] = Field(
        (), description="its tasks whose heads have attention gates"
    )
    labels: dict[str, dict[str, Any]] = Field(description="form and classes of the label, by task")
    metrics: dict[str, dict[str, float | None]] = Field(
        {}, description="its metrics on the validation images of its run, by task"
    )
    latency_ms: float | None = Field(
        None, description="latency of one image in milliseconds; null: not measured"
    )
    unfreeze: NonNegativeInt = Field(
        0, description="number of the last units, of those that a new task shares, that it tunes"
    )
    max_drop: float = Field(
        1.0,
        ge=0,
        description="with `unfreeze`, the largest drop of the primary metric of a task in use, in "
        "percent of its value; .inf: no limit",
    )
    images: tuple[KeptImages, ...] = Field(
        (), description="where its tasks were validated, to measure the drop"
    )
