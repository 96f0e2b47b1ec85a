"""Selection of a network by ``--trial best|N`` or ``--retrained NAME``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mtlsearch.cli._global_options import GlobalOptions
    from mtlsearch.config import RunConfig
    from mtlsearch.registry import ResolvedRun
    from mtlsearch.results import TrialRecord
    from mtlsearch.study import RunDirectory


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


def select_network(
    run: Path,
    resolved: ResolvedRun,
    trial: Literal["best"] | int,
    retrained: str | None,
    options: GlobalOptions,
) -> tuple[TrialRecord, RunDirectory]:
    """Return the record of a trained network and the directory with its weights.

    Args:
        run: run directory.
        resolved: its run file.
        trial: ``best`` or a trial number.
        retrained: name of a long training, which replaces the trial; None for the trial.
        options: verbosity.

    Returns:
        The record, and the run directory or that of the long training.

    Raises:
        RunError: the trial or the long training does not exist or is not complete.
    """
    from mtlsearch.runs import load_long_training
    from mtlsearch.study import RunDirectory, read_records

    folder = RunDirectory(run)
    if retrained is not None:
        return load_long_training(folder, retrained), folder.long_training(retrained)
    records = read_records(run, resolved.config)
    return select_trial(run, resolved.config, records, trial, options), folder


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


def select_trial(
    run: Path,
    config: RunConfig,
    records: Sequence[TrialRecord],
    trial: Literal["best"] | int,
    options: GlobalOptions,
) -> TrialRecord:
    """Return the best trial or the trial of a number.

    For the best of several objectives, print the numbers of the Pareto front.

    Args:
        run: run directory.
        config: run file of the run.
        records: all trials of the run.
        trial: ``best`` or a trial number.
        options: verbosity.

    Returns:
        The record of the trial.

    Raises:
        RunError: the trial does not exist or is not complete.
    """
    from mtlsearch.errors import RunError
    from mtlsearch.results import front_of, objectives_in
    from mtlsearch.runs import pick_trial, read_confirmed, read_verdict

    objectives = objectives_in(records, config.search.objectives)
    front = front_of(records, objectives) if len(objectives) > 1 else []
    confirmed = read_confirmed(run, records)
    verdict = read_verdict(run, config) if trial == "best" else None
    expected = {} if verdict is None else verdict.expected_by_number
    means = {number: expectation.mean for number, expectation in expected.items()}
    try:
        if trial == "best" and verdict is not None and not front:
            for sentence in verdict.sentences:
                options.console.info(sentence)
            trial = verdict.recommended
        selected = pick_trial(records, trial, confirmed, front, means)
    except RunError as error:
        raise error.named_in(str(run)) from error
    if trial == "best" and front:
        names = ", ".join(objective.name for objective in objectives)
        numbers = ", ".join(str(record.number) for record in front)
        options.console.info(
            f"Pareto front of {names}: trials {numbers}; using the highest expected Δm, "
            "--trial N selects another"
        )
    return selected
