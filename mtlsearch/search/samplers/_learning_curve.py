"""Extrapolation of learning curves: the final result of a paused trial.

Relative changes after a few epochs are noisy, and larger than the changes at the end of
training, since one epoch more matters most at the start. Samplers therefore get the changes of
a paused trial times a slope. The slope comes from the complete trials: per rung and task, the
least-squares line through the origin, which is the ``independent`` baseline. Noise at the rung
reduces the slope.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PRIOR_SLOPE = 0.5
"""Slope before any trial is complete. It counts as much as one trial."""

TaskChanges = Mapping[str, float]
"""Relative change against the ``independent`` baseline by task, in percent."""


@dataclass(frozen=True, slots=True)
class LearningCurveModel:
    """Linear model of the final changes of a trial, given its changes at a rung.

    Attributes:
        slopes: final change divided by the change at a rung, from 0 to 1, by rung and task.
    """

    slopes: Mapping[int, Mapping[str, float]]

    @classmethod
    def fit(
        cls, curves: Sequence[tuple[Mapping[int, TaskChanges], TaskChanges]]
    ) -> LearningCurveModel:
        """Fit the slopes to complete trials.

        Args:
            curves: changes of each trial at its rungs and at the end of training.

        Returns:
            The model.
        """
        pairs: dict[int, dict[str, list[tuple[float, float]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for changes_by_rung, final_changes in curves:
            for rung, changes in changes_by_rung.items():
                for task, change in changes.items():
                    pairs[rung][task].append((change, final_changes[task]))
        return cls(
            {
                rung: {task: _fit_slope(task_pairs) for task, task_pairs in by_task.items()}
                for rung, by_task in pairs.items()
            }
        )

    def extrapolate(self, rung: int, changes: TaskChanges) -> dict[str, float]:
        """Predict the changes at the end of training.

        Args:
            rung: epoch of the changes, from 1.
            changes: changes at the rung.

        Returns:
            Predicted final change by task, in percent.
        """
        slopes = self.slopes.get(rung, {})
        return {task: slopes.get(task, PRIOR_SLOPE) * change for task, change in changes.items()}


def _fit_slope(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the regularized least-squares slope of pairs (change at the rung, final change)."""
    sum_of_squares = sum(change * change for change, _ in pairs)
    if sum_of_squares == 0:
        return PRIOR_SLOPE
    covariance = sum(change * final_change for change, final_change in pairs)
    weight = sum_of_squares / len(pairs)
    return min(1.0, max(0.0, (covariance + weight * PRIOR_SLOPE) / (sum_of_squares + weight)))
