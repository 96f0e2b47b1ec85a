"""A trial's trained network, from its weights on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
) -> TrialRecord:
    """The trial with the highest Δm within the budget, or the one of that number.

    Where trials were confirmed on several seeds, the best is that with the highest mean.

    Args:
        records: the trials of a run.
        trial: which.
        confirmed: what several seeds say of some of them, by number.
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
        within = [record for record in complete if not record.over_limits]
        if not within:
            raise RunError(
                "no trial within the budget is complete",
                allowed=[str(record.number) for record in complete],
                next_step="ask for a baseline by its number, or go on with the search",
            )
        on_front = {record.number for record in front}
        within = [record for record in within if record.number in on_front] or within
        finalists = [record for record in within if record.number in confirmed]
        if finalists:
            return max(finalists, key=lambda at: confirmed[at.number].mean)
        return max(within, key=lambda at: known.get(at.number, 0.0))
    chosen = next((record for record in records if record.number == trial), None)
    if chosen is None or chosen.state != "complete":
        raise RunError(
            f"there is no trial {trial}" if chosen is None else _unfinished(chosen),
            allowed=["best", *(str(record.number) for record in complete)],
        )
    return chosen


def _unfinished(record: TrialRecord) -> str:
    reason = f" ({record.reason})" if record.reason else ""
    return f"trial {record.number} is not complete but {record.state}{reason}"


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
            next_step="raise `search.keep_weights` in the run file before searching, or export another",
        )
    network = session.evaluator.build(record.candidate)
    load_weights(network, path)
    return network.eval()
