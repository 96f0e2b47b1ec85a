"""Table of the commands; help, completion and documentation use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COMMANDS_PACKAGE = "mtlsearch.cli.commands"


@dataclass(frozen=True, slots=True)
class Command:
    """Entry of the table of commands.

    Attributes:
        name: name on the command line, such as ``train-longer``.
        panel: heading of the command in the help.
        function: name of its function; the command's name with underscores by default.
    """

    name: str
    panel: str
    function: str = ""

    def __post_init__(self) -> None:
        if not self.function:
            object.__setattr__(self, "function", self._stem)

    @property
    def module(self) -> str:
        """Module of its function; imported when the command runs."""
        return f"{COMMANDS_PACKAGE}._{self._stem}"

    @property
    def _stem(self) -> str:
        return self.name.replace("-", "_")


WORKFLOW = "Workflow"
INSPECT = "Inspect"

COMMANDS: tuple[Command, ...] = (
    Command("init", WORKFLOW),
    Command("check", WORKFLOW),
    Command("affinity", WORKFLOW),
    Command("estimate", WORKFLOW),
    Command("search", WORKFLOW),
    Command("extend", WORKFLOW),
    Command("worker", WORKFLOW),
    Command("watch", WORKFLOW),
    Command("leaderboard", WORKFLOW),
    Command("report", WORKFLOW),
    Command("plot", WORKFLOW),
    Command("dashboard", WORKFLOW),
    Command("compare", WORKFLOW),
    Command("filter", WORKFLOW, function="filter_tasks"),
    Command("train-longer", WORKFLOW),
    Command("compress", WORKFLOW),
    Command("export", WORKFLOW),
    Command("evaluate", WORKFLOW),
    Command("predict", WORKFLOW),
    Command("benchmark", WORKFLOW),
    Command("sample", WORKFLOW),
    Command("repair", INSPECT),
    Command("list", INSPECT, function="list_kind"),
    Command("units", INSPECT),
)

RENAMED: Mapping[str, str] = {
    "tasks": "list tasks",
    "datasets": "list datasets",
    "spaces": "list spaces",
    "balancers": "list balancers",
    "backbones": "list backbones",
    "plugins": "list plugins",
    "train": "train-longer",
}
"""Old command -> new command, for the message that refuses the old one."""
