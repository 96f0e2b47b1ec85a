"""What a trial that was stopped early would have come to.

What tasks gain and lose after a few epochs is a poor picture of what they gain in the end: it
is scaled otherwise (an epoch late is worth much at first), and it is noisy. So a stopped
trial's changes are told to samplers times what was left of such changes, at the end, in the
trials that came to their end: for each rung and task the slope of a line through the
``independent`` trial, where both are 0. Noise at the rung flattens the slope, as it should.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PRIOR_SLOPE = 0.5
"""The slope before any trial tells of it, as strong as one trial."""

Changes = Mapping[str, float]
"""Each task's relative change against the ``independent`` trial, in percent."""


@dataclass(frozen=True, slots=True)
class LearningCurveModel:
    """Slopes by rung and task.

    Attributes:
        slopes: what of a change at a rung is left at the end, from 0 to 1.
    """

    slopes: Mapping[int, Mapping[str, float]]

    @classmethod
    def of(cls, ended: Sequence[tuple[Mapping[int, Changes], Changes]]) -> LearningCurveModel:
        """From trials that came to their end: what they changed at each rung, and then."""
        pairs: dict[int, dict[str, list[tuple[float, float]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for at_rungs, end in ended:
            for rung, changes in at_rungs.items():
                for task, change in changes.items():
                    pairs[rung][task].append((change, end[task]))
        return cls(
            {
                rung: {task: _slope(found) for task, found in by_task.items()}
                for rung, by_task in pairs.items()
            }
        )

    def end(self, rung: int, changes: Changes) -> dict[str, float]:
        """What changes at a rung come to."""
        slopes = self.slopes.get(rung, {})
        return {task: slopes.get(task, PRIOR_SLOPE) * change for task, change in changes.items()}


def _slope(pairs: Sequence[tuple[float, float]]) -> float:
    square = sum(now * now for now, _ in pairs)
    if square == 0:
        return PRIOR_SLOPE
    known = sum(now * end for now, end in pairs)
    weight = square / len(pairs)
    return min(1.0, max(0.0, (known + weight * PRIOR_SLOPE) / (square + weight)))
