"""Expected Δm of a trial, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expectation:
    """Expected Δm of a trial, given all trainings of a study.

    Attributes:
        mean: posterior mean of Δm against ``independent``, in percent.
        deviation: its posterior standard deviation, in percent.
        num_seeds: number of complete trainings of its candidate.
        beats_independent: probability that it is better than ``independent``; None for
            ``independent`` itself.
        beats_hard: probability that it is better than ``hard``; None for ``hard`` itself, and if
            ``hard`` has no result.
    """

    mean: float
    deviation: float
    num_seeds: int = 1
    beats_independent: float | None = None
    beats_hard: float | None = None
