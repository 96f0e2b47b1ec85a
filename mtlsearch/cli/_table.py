"""Table of the commands; help, completion and documentation use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """Entry of the table of commands.

    Attributes:
        name: name on the command line, such as ``train-longer``.
        module: module of its function; imported when the command runs.
        function: name of the function in that module.
        panel: heading of the command in the help.
    """

    name: str
    module: str
    function: str
    panel: str


WORKFLOW = "Workflow"
INSPECT = "Inspect"

COMMANDS: tuple[Command, ...] = (
    Command("init", "mtlsearch.cli.commands._init", "init", WORKFLOW),
    Command("check", "mtlsearch.cli.commands._check", "check", WORKFLOW),
    Command("affinity", "mtlsearch.cli.commands._affinity", "affinity", WORKFLOW),
    Command("search", "mtlsearch.cli.commands._search", "search", WORKFLOW),
    Command("leaderboard", "mtlsearch.cli.commands._leaderboard", "leaderboard", WORKFLOW),
    Command("train-longer", "mtlsearch.cli.commands._train_longer", "train_longer", WORKFLOW),
    Command("export", "mtlsearch.cli.commands._export", "export", WORKFLOW),
    Command("predict", "mtlsearch.cli.commands._predict", "predict", WORKFLOW),
    Command("sample", "mtlsearch.cli.commands._sample", "sample", WORKFLOW),
    Command("list", "mtlsearch.cli.commands._list", "list_kind", INSPECT),
    Command("units", "mtlsearch.cli.commands._units", "units", INSPECT),
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
