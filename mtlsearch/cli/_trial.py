"""``--trial best|N``: which trial of a run a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mtlsearch.cli._global_options import Shell
    from mtlsearch.config import RunConfig
    from mtlsearch.results import TrialRecord


def wanted_trial(text: str) -> Literal["best"] | int:
    """What ``--trial`` asks for.

    Raises:
        ConfigError: it is neither ``best`` nor a number.
    """
    from mtlsearch.errors import ConfigError

    if text == "best":
        return "best"
    if not text.isdecimal():
        raise ConfigError(
            f"{text!r} is no trial", where="--trial", allowed=["best", "a trial's number"]
        )
    return int(text)


def choose_trial(
    run: Path,
    config: RunConfig,
    records: Sequence[TrialRecord],
    wanted: Literal["best"] | int,
    shell: Shell,
) -> TrialRecord:
    """The trial of that number, or the best; of several objectives, what else there is is said.

    Raises:
        RunError: there is no such trial, or it was not completed.
    """
    from mtlsearch.errors import RunError
    from mtlsearch.results import front_of, objectives_in
    from mtlsearch.runs import pick_trial, read_confirmed

    objectives = objectives_in(records, config.search.objectives)
    front = front_of(records, objectives) if len(objectives) > 1 else []
    confirmed = read_confirmed(run, config, records)
    try:
        record = pick_trial(records, wanted, confirmed, front)
    except RunError as error:
        raise error.named_in(str(run)) from error
    if wanted == "best" and front:
        shell.console.say(
            f"on the Pareto front of {', '.join(at.name for at in objectives)}: trials "
            f"{', '.join(str(at.number) for at in front)}; --trial N takes one of them, "
            "the highest Δm is taken"
        )
    return record
