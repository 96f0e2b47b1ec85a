"""One task of a run file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mtlsearch.config._section import OpenSection

TaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class TaskEntry(OpenSection):
    """One task. All other keys are settings of the task kind."""

    kind: str = Field(description="name of the task kind; see `mtlsearch list tasks`")
    label: str | None = Field(
        None, description="name of the label to learn; null: the name of the task"
    )
    rank_by: str | None = Field(
        None,
        description="the one metric of the task that Δm and the search count, such as nll; null: "
        "those that the kind counts",
    )
