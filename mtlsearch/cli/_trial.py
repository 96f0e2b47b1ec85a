"""Options that select a network: ``--trial best|N`` and ``--retrained NAME``."""

from __future__ import annotations

from typing import Literal


def require_one_network(trial: str | None, retrained: str | None) -> Literal["best"] | int:
    """Return the selected trial; without either option, the best.

    Args:
        trial: value of ``--trial``; None if absent.
        retrained: value of ``--retrained``; None if absent.

    Returns:
        ``best`` or a trial number.

    Raises:
        ConfigError: both options are given, or the trial is neither ``best`` nor a number.
    """
    if trial is not None and retrained is not None:
        from mtlsearch.errors import ConfigError

        raise ConfigError(
            "`--trial` and `--retrained` select two networks, but the command takes one",
            where=f"--trial {trial} --retrained {retrained}",
            next_step="use only one of the two options",
        )
    return parse_trial("best" if trial is None else trial)


def parse_trial(text: str) -> Literal["best"] | int:
    """Parse the value of ``--trial``.

    Raises:
        ConfigError: the value is neither ``best`` nor a number.
    """
    from mtlsearch.errors import ConfigError

    if text == "best":
        return "best"
    if not text.isdecimal():
        raise ConfigError(
            f"`--trial` must be `best` or a trial number, got {text!r}",
            where="--trial",
            allowed=["best", "a trial number"],
        )
    return int(text)
