"""The commands there are; help, completion and documentation go by this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: what a person types.
        module: where its function of the same name lies; imported when it is asked for.
        panel: the heading it stands under in the help.
    """

    name: str
    module: str
    panel: str


SEARCHING = "From images to a network"
LOOKING = "What there is"

COMMANDS: tuple[Command, ...] = (
    Command("init", "mtlsearch.cli._init", SEARCHING),
    Command("check", "mtlsearch.cli._check", SEARCHING),
    Command("affinity", "mtlsearch.cli._affinity", SEARCHING),
    Command("search", "mtlsearch.cli._search", SEARCHING),
    Command("leaderboard", "mtlsearch.cli._leaderboard", SEARCHING),
    Command("train", "mtlsearch.cli._train", SEARCHING),
    Command("export", "mtlsearch.cli._export", SEARCHING),
    Command("predict", "mtlsearch.cli._predict", SEARCHING),
    Command("sample", "mtlsearch.cli._sample", SEARCHING),
    Command("plugins", "mtlsearch.cli._plugins", LOOKING),
    Command("tasks", "mtlsearch.cli._tasks", LOOKING),
    Command("datasets", "mtlsearch.cli._datasets", LOOKING),
    Command("spaces", "mtlsearch.cli._spaces", LOOKING),
    Command("balancers", "mtlsearch.cli._balancers", LOOKING),
    Command("backbones", "mtlsearch.cli._backbones", LOOKING),
    Command("units", "mtlsearch.cli._units", LOOKING),
)
