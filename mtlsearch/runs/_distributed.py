"""Distributed search: rank 0 searches, the other ranks train the same candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mtlsearch.errors import TrainingError
from mtlsearch.plan import Cost, UnitSpec
from mtlsearch.plugin import Candidate
from mtlsearch.search import Evaluator, Measurement, NullProgress, SearchProgress


@dataclass(frozen=True, slots=True)
class Rank0Evaluator:
    """An evaluator that broadcasts each candidate, so that all ranks measure it.

    Attributes:
        evaluator: the evaluator of rank 0, whose training joins the process group.
        seed: seed of a second seed; None for the seed of the run.
    """

    evaluator: Evaluator
    seed: int | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, sorted."""
        return self.evaluator.tasks

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """Return the units of a backbone in depth order."""
        return self.evaluator.units(backbone)

    def cost(self, candidate: Candidate) -> Cost:
        """Compute parameters and FLOPs of a candidate."""
        return self.evaluator.cost(candidate)

    @property
    def epochs(self) -> int:
        """Number of epochs of a complete training."""
        return self.evaluator.epochs

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """Measure a candidate with all ranks; see :class:`Evaluator`."""
        _broadcast((number, candidate.to_json(), epochs, self.seed))
        return self.evaluator.measure(number, candidate, progress, epochs)


@contextmanager
def on_all_ranks(evaluator: Evaluator, *, is_distributed: bool) -> Iterator[Evaluator]:
    """Yield an evaluator that measures with all ranks of the process group.

    Args:
        evaluator: the evaluator of this process.
        is_distributed: whether there are other ranks.

    Yields:
        ``evaluator`` itself in a single process.
    """
    if is_distributed:
        with broadcasting(evaluator) as rank0_evaluator:
            yield rank0_evaluator
    else:
        yield evaluator


@contextmanager
def broadcasting(evaluator: Evaluator) -> Iterator[Rank0Evaluator]:
    """Yield the evaluator of rank 0; release the other ranks at the end.

    After an error the other ranks are not released: if a rank fails in a training, the others
    wait for it, and only their launcher can stop them.
    """
    yield Rank0Evaluator(evaluator)
    _broadcast(None)


def run_worker(evaluator: Evaluator, at_seed: Callable[[int], Evaluator] | None = None) -> None:
    """Measure the candidates that rank 0 broadcasts until it releases this rank.

    A training that fails does so in all ranks. Rank 0 records the error.

    Args:
        evaluator: the evaluator of this rank.
        at_seed: returns the evaluator of this rank for a second seed; None without second seeds.
    """
    while (message := _broadcast(None)) is not None:
        number, candidate, epochs, seed = message
        of_seed = evaluator if seed is None or at_seed is None else at_seed(seed)
        try:
            of_seed.measure(number, Candidate.from_json(candidate), NullProgress(), epochs)
        except TrainingError:
            continue


def _broadcast(message: Any) -> Any:
    """Return the message of rank 0; those of other ranks are ignored."""
    import torch
    from torch import distributed

    messages = [message]
    distributed.broadcast_object_list(messages, src=0, device=torch.device("cpu"))
    return messages[0]
