"""Processes that measure candidates together: one leads the search, the others follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mtlsearch.errors import TrainingError
from mtlsearch.plan import Cost, UnitSpec
from mtlsearch.plugin import Candidate
from mtlsearch.search import Evaluator, Measurement, NullProgress, SearchProgress


@dataclass(frozen=True, slots=True)
class Rank0Evaluator:
    """Tells the other processes what it measures, so that they measure it, too.

    Attributes:
        own: what this process measures with; it joins in with the others by itself.
    """

    own: Evaluator

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, sorted."""
        return self.own.tasks

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """The units of a backbone, in depth order."""
        return self.own.units(backbone)

    def cost(self, candidate: Candidate) -> Cost:
        """Parameters and FLOPs, by arithmetic."""
        return self.own.cost(candidate)

    @property
    def epochs(self) -> int:
        """How many epochs a whole training has."""
        return self.own.epochs

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """Measure one candidate with all processes; see :class:`Evaluator`."""
        _broadcast((number, candidate.to_json(), epochs))
        return self.own.measure(number, candidate, progress, epochs)


@contextmanager
def broadcasting(own: Evaluator) -> Iterator[Rank0Evaluator]:
    """An evaluator for the process that searches; the others are let go at the end.

    They are not where it ends by an error: a process that fails amid a training keeps the
    others waiting for it, and only what launched them all can end that.
    """
    yield Rank0Evaluator(own)
    _broadcast(None)


def run_worker(own: Evaluator) -> None:
    """Measure what the leading process measures, until it lets go.

    What cannot be trained fails in every process alike; the leading one tells of it.
    """
    while (told := _broadcast(None)) is not None:
        number, candidate, epochs = told
        try:
            own.measure(number, Candidate.from_json(candidate), NullProgress(), epochs)
        except TrainingError:
            continue


def _broadcast(said: Any) -> Any:
    """What the leading process says; the others' own words do not count."""
    import torch
    from torch import distributed

    words = [said]
    distributed.broadcast_object_list(words, src=0, device=torch.device("cpu"))
    return words[0]
