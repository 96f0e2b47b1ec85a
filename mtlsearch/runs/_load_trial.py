"""Choice of a trial, and its trained network from the weights on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from mtlsearch.errors import RunError
from mtlsearch.results import SeedStatistics, TrialRecord, deltas
from mtlsearch.runs._session import Session

if TYPE_CHECKING:
    from mtlsearch.models import MultiTaskNetwork


def pick_trial(
    records: Sequence[TrialRecord],
    trial: Literal["best"] | int,
    confirmed: Mapping[int, SeedStatistics] = MappingProxyType({}),
    front: Sequence[TrialRecord] = (),
    expected: Mapping[int, float] = MappingProxyType({}),
) -> TrialRecord:
    """Return the best complete trial within the limits, or the trial with a number.

    The best trial has the highest expected Δm, or the highest measured one if no expectation is
    given. Among trials confirmed by an earlier version it has the highest mean over seeds.

    Args:
        records: all trials of a run.
        trial: ``"best"`` or a trial number.
        confirmed: statistics over seeds by trial number.
        front: Pareto front of a search with several objectives; the best trial is one of these.
        expected: expected Δm by trial number, see :func:`mtlsearch.search.verdict_of`.

    Returns:
        A complete trial.

    Raises:
        RunError: the trial does not exist or is not complete.
    """
    complete = [record for record in records if record.state == "complete"]
    if trial == "best":
        ranked = [record for record in complete if record.compression is None]
        return _best(ranked, confirmed, front, expected)
    record = next((record for record in records if record.number == trial), None)
    if record is None or record.state != "complete":
        raise RunError(
            f"trial {trial} does not exist" if record is None else _incomplete(record),
            allowed=["best", *(str(record.number) for record in complete)],
        )
    return record


def _best(
    complete: Sequence[TrialRecord],
    confirmed: Mapping[int, SeedStatistics],
    front: Sequence[TrialRecord],
    expected: Mapping[int, float],
) -> TrialRecord:
    if not complete:
        raise RunError(
            "no trial is complete", next_step="run `mtlsearch search` to resume the search"
        )
    delta_by_number = expected or deltas(complete)
    feasible = [record for record in complete if not record.over_limits]
    if not feasible:
        raise RunError(
            "no complete trial is within the limits",
            allowed=[str(record.number) for record in complete],
            next_step="set --trial to the number of a baseline, or resume the search",
        )
    front_numbers = {record.number for record in front}
    feasible = [record for record in feasible if record.number in front_numbers] or feasible
    finalists = [record for record in feasible if record.number in confirmed]
    if finalists:
        return max(finalists, key=lambda record: confirmed[record.number].mean)
    return max(feasible, key=lambda record: delta_by_number.get(record.number, 0.0))


def _incomplete(record: TrialRecord) -> str:
    reason = f" ({record.reason})" if record.reason else ""
    return f"trial {record.number} is {record.state}, not complete{reason}"


def load_trial(session: Session, record: TrialRecord) -> MultiTaskNetwork:
    """Build the network of a complete trial with its trained weights.

    Args:
        session: the opened run.
        record: a complete trial of the run.

    Returns:
        The network, in eval mode, on the CPU.

    Raises:
        RunError: the weights are not on disk.
    """
    run = session.evaluator.run
    path = run.fetch(run.weights(record.number))
    if not path.is_file():
        raise RunError(
            f"the weights of trial {record.number} do not exist",
            where=str(path),
            next_step="set `search.keep_weights` to a larger number before the search, or choose "
            "another trial",
        )
    if record.compression is not None:
        return load_network(session, record, path)
    from mtlsearch.training import load_weights

    network = session.evaluator.build(record.candidate)
    load_weights(network, path)
    return network.eval()


def load_network(session: Session, record: TrialRecord, weights: Path) -> MultiTaskNetwork:
    """Build a pruned network, whose channels follow from the shapes of its weights.

    Args:
        session: the opened run.
        record: a trial with the candidate of the network.
        weights: the safetensors file.

    Returns:
        The network, in eval mode, on the CPU.

    Raises:
        RunError: the file is broken or belongs to another network.
    """
    from mtlsearch.models import fit_channels
    from mtlsearch.training import load_weights, weight_shapes

    network = session.evaluator.build(record.candidate)
    fit_channels(network, weight_shapes(weights))
    load_weights(network, weights)
    return network.eval()
