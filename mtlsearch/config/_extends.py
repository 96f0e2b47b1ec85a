"""Section ``extends`` of a run file: the network in use, whose tasks are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeInt

from mtlsearch.config._section import Section
from mtlsearch.config._task_entry import TaskEntry, TaskName


class ExtendsConfig(Section):
    """The network in use, as ``mtlsearch extend`` writes it.

    It contains all but the weights, which are in the run directory too. So the run does not need
    the run that it extends.
    """

    run: Path = Field(
        description="run directory of the network in use; the extension does not need it"
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
