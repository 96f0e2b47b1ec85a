"""A trial's trained network, from its weights on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtlsearch.errors import RunError
from mtlsearch.record import TrialRecord, deltas
from mtlsearch.search._session import Session

if TYPE_CHECKING:
    from mtlsearch.network import MultiTaskNetwork


def pick_trial(
    records: Sequence[TrialRecord],
    trial: Literal["best"] | int,
    front: Sequence[TrialRecord] = (),
) -> TrialRecord:
    """The trial with the highest Δm, or the one of that number.

    Args:
        records: the trials of a run.
        trial: which.
        front: where several things are wanted, the trials among which the best is looked for.

    Raises:
        RunError: there is no such trial, or it was not completed.
    """
    complete = [record for record in records if record.state == "complete"]
    if trial == "best":
        if not complete:
            raise RunError(
                "no trial is complete yet", next_step="`mtlsearch search` goes on with the run"
            )
        known = deltas(complete)
        return max(front or complete, key=lambda at: known.get(at.number, 0.0))
    chosen = next((record for record in records if record.number == trial), None)
    if chosen is None or chosen.state != "complete":
        raise RunError(
            f"there is no trial {trial}" if chosen is None else _unfinished(chosen),
            allowed=["best", *(str(record.number) for record in complete)],
        )
    return chosen


def _unfinished(record: TrialRecord) -> str:
    why = f" ({record.why})" if record.why else ""
    return f"trial {record.number} is not complete but {record.state}{why}"


def load_trial(session: Session, record: TrialRecord) -> MultiTaskNetwork:
    """The network of a completed trial with its trained weights, in eval mode, on the CPU.

    Raises:
        RunError: its weights were not kept.
    """
    from mtlsearch.training import load_weights

    path = session.evaluator.run.weights(record.number)
    if not path.is_file():
        raise RunError(
            f"the weights of trial {record.number} were not kept",
            where=str(path),
            next_step="raise `search.keep` in the run file before searching, or export another",
        )
    network = session.evaluator.build(record.candidate)
    load_weights(network, path)
    return network.eval()
