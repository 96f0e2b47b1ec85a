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
    Command("init", "mtlsearch.cli.commands._init", SEARCHING),
    Command("check", "mtlsearch.cli.commands._check", SEARCHING),
    Command("affinity", "mtlsearch.cli.commands._affinity", SEARCHING),
    Command("search", "mtlsearch.cli.commands._search", SEARCHING),
    Command("leaderboard", "mtlsearch.cli.commands._leaderboard", SEARCHING),
    Command("train", "mtlsearch.cli.commands._train", SEARCHING),
    Command("export", "mtlsearch.cli.commands._export", SEARCHING),
    Command("predict", "mtlsearch.cli.commands._predict", SEARCHING),
    Command("sample", "mtlsearch.cli.commands._sample", SEARCHING),
    Command("plugins", "mtlsearch.cli.commands._plugins", LOOKING),
    Command("tasks", "mtlsearch.cli.commands._tasks", LOOKING),
    Command("datasets", "mtlsearch.cli.commands._datasets", LOOKING),
    Command("spaces", "mtlsearch.cli.commands._spaces", LOOKING),
    Command("balancers", "mtlsearch.cli.commands._balancers", LOOKING),
    Command("backbones", "mtlsearch.cli.commands._backbones", LOOKING),
    Command("units", "mtlsearch.cli.commands._units", LOOKING),
)
