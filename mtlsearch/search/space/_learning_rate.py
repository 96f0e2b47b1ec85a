"""Learning rate as a searched dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtlsearch.plugin import Candidate, Suggest


@dataclass(frozen=True, slots=True)
class LearningRateDimension:
    """Choice of one learning rate per candidate, on a log scale.

    Attributes:
        default: the learning rate if none is searched.
        bounds: lowest and highest learning rate; None if none is searched.
    """

    default: float
    bounds: tuple[float, float] | None

    def suggest(self, suggest: Suggest, candidate: Candidate) -> float:
        """Choose the learning rate of a candidate; keep the one that its search space chose.

        Args:
            suggest: source of the params.
            candidate: what the search space proposed.

        Returns:
            The learning rate.
        """
        if candidate.learning_rate is not None or self.bounds is None:
            return candidate.learning_rate or self.default
        low, high = self.bounds
        return suggest.suggest_float("learning_rate", low, high, log=True)

    def params(self, candidate: Candidate) -> Mapping[str, float] | None:
        """Return the params that give a candidate its learning rate.

        Args:
            candidate: a complete candidate.

        Returns:
            Value by parameter name; None if no params give this learning rate.
        """
        rate = candidate.learning_rate
        if self.bounds is None:
            return {} if rate in (None, self.default) else None
        low, high = self.bounds
        return None if rate is None or not low <= rate <= high else {"learning_rate": rate}
