"""Interface of samplers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mtlsearch.search.samplers._observations import Observation
from mtlsearch.search.space import Proposal


class Sampler(Protocol):
    """Strategy that proposes candidates, each of them once."""

    def propose(self, observations: Sequence[Observation], *, seed: int) -> Proposal | None:
        """Return the next candidate.

        The result depends on the arguments only, so an interrupted search resumes identically.

        Args:
            observations: all trials that have a result or failed, by number.
            seed: seed of the run.

        Returns:
            A feasible candidate that is not measured yet; None if none is left.
        """
