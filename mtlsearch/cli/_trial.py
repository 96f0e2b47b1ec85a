"""The network that ``--trial best|N`` and ``--retrained NAME`` select."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtlsearch.cli._context import reopen_run

if TYPE_CHECKING:
    from pathlib import Path

    from mtlsearch.cli._global_options import GlobalOptions
    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.results import TrialRecord
    from mtlsearch.runs import Session


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


def open_network(
    run: Path,
    options: GlobalOptions,
    data_root: Path | None,
    number: Literal["best"] | int,
    *,
    retrained: str | None = None,
    verb: str,
) -> tuple[Session, TrialRecord, MultiTaskNetwork]:
    """Load a trained network of a run on the CPU.

    Prints which network it is, and warns if the data are not those of its trials.

    Args:
        run: run directory.
        options: global options.
        data_root: value of ``--data-root``; None if absent.
        number: ``best`` or a trial number.
        retrained: name of a longer training, which replaces the trial; None for the trial.
        verb: what is done with the network, such as ``exporting``, for the message.

    Returns:
        The session, the record of the network, and the network.

    Raises:
        RunError: the network does not exist or is not complete.
    """
    resolved = reopen_run(run, options, data_root)

    import torch

    from mtlsearch.runs import load_trial, reopen_session, select_network
    from mtlsearch.search import NullProgress

    console = options.console
    record, folder = select_network(run, resolved.config, number, retrained, console.info)
    console.info(f"{verb} {retrained or f'trial {record.number}'}: {record.plan}")
    session = reopen_session(
        resolved,
        folder,
        run,
        device=torch.device("cpu"),
        progress=NullProgress(),
        warning=console.warning,
    )
    return session, record, load_trial(session, record)
