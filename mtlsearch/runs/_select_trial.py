"""Selection of a trained network: the best trial, a trial by number, or a long training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from mtlsearch.config import RunConfig
from mtlsearch.errors import RunError
from mtlsearch.results import TrialRecord, front_of, objectives_in
from mtlsearch.runs._confirm import read_confirmed, read_verdict
from mtlsearch.runs._load_trial import pick_trial
from mtlsearch.runs._long_training import load_long_training
from mtlsearch.study import RunDirectory, read_view


def select_network(
    run: Path,
    config: RunConfig,
    trial: Literal["best"] | int,
    retrained: str | None,
    notify: Callable[[str], None],
) -> tuple[TrialRecord, RunDirectory]:
    """Return the record of a trained network and the directory with its weights.

    Args:
        run: run directory.
        config: its run file.
        trial: ``best`` or a trial number.
        retrained: name of a long training, which replaces the trial; None for the trial.
        notify: called with the reasons of the selection, see :func:`select_trial`.

    Returns:
        The record, and the run directory or that of the long training.

    Raises:
        RunError: the trial or the long training does not exist or is not complete.
    """
    folder = RunDirectory(run)
    if retrained is not None:
        return load_long_training(folder, retrained), folder.long_training(retrained)
    return select_trial(run, config, read_view(run, config).networks, trial, notify), folder


def select_trial(
    run: Path,
    config: RunConfig,
    records: Sequence[TrialRecord],
    trial: Literal["best"] | int,
    notify: Callable[[str], None],
) -> TrialRecord:
    """Return the best trial or the trial of a number.

    Args:
        run: run directory.
        config: run file of the run.
        records: all trials of the run; its compressed trials can be selected by number only.
        trial: ``best`` or a trial number.
        notify: called with the sentences of the verdict if it selects the trial, and with the
            numbers of the Pareto front if there are several objectives.

    Returns:
        The record of the trial.

    Raises:
        RunError: the trial does not exist or is not complete.
    """
    every, records = records, [record for record in records if record.compression is None]
    objectives = objectives_in(records, config.search.objectives)
    front = front_of(records, objectives) if len(objectives) > 1 else []
    confirmed = read_confirmed(run, records)
    verdict = read_verdict(run, config) if trial == "best" else None
    expected = {} if verdict is None else verdict.expected_by_number
    means = {number: expectation.mean for number, expectation in expected.items()}
    try:
        if trial == "best" and verdict is not None and not front:
            for sentence in verdict.sentences:
                notify(sentence)
            trial = verdict.recommended
        selected = pick_trial(every, trial, confirmed, front, means)
    except RunError as error:
        raise error.named_in(str(run)) from error
    if trial == "best" and front:
        names = ", ".join(objective.name for objective in objectives)
        numbers = ", ".join(str(record.number) for record in front)
        notify(
            f"Pareto front of {names}: trials {numbers}; using the highest expected Δm, "
            "--trial N selects another"
        )
    return selected
