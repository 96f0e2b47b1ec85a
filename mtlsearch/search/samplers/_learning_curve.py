"""Extrapolation of learning curves: the final result of a paused trial.

Relative changes after a few epochs are noisy, and larger than the changes at the end of
training, since one epoch more matters most at the start. Samplers therefore get the changes of
a paused trial times a slope. The slope comes from the complete trials: per rung and task, the
least-squares line through the origin, which is the ``independent`` baseline. Noise at the rung
reduces the slope. What remains around the line is the additional noise of the extrapolation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PRIOR_SLOPE = 0.5
"""Slope before any trial is complete. It counts as much as one trial."""

MIN_VARIANCE = 1e-6
"""Lowest variance of an extrapolation, in percent squared."""

TaskChanges = Mapping[str, float]
"""Relative change against the ``independent`` baseline by task, in percent."""


@dataclass(frozen=True, slots=True)
class LearningCurveModel:
    """Linear model of the final changes of a trial, given its changes at a rung.

    Attributes:
        slopes: final change divided by the change at a rung, from 0 to 1, by rung and task.
        variances: variance of the final change around the line, in percent squared.
    """

    slopes: Mapping[int, Mapping[str, float]]
    variances: Mapping[int, Mapping[str, float]]

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
        slopes = {
            rung: {task: _fit_slope(task_pairs) for task, task_pairs in by_task.items()}
            for rung, by_task in pairs.items()
        }
        variances = {
            rung: {
                task: _fit_variance(task_pairs, slopes[rung][task])
                for task, task_pairs in by_task.items()
            }
            for rung, by_task in pairs.items()
        }
        return cls(slopes, variances)

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

    def extrapolation_variance(self, rung: int, changes: TaskChanges) -> dict[str, float]:
        """Return the variance of final changes around their prediction.

        Args:
            rung: epoch of the changes, from 1.
            changes: changes at the rung.

        Returns:
            Variance by task, in percent squared, above 0.
        """
        variances = self.variances.get(rung, {})
        return {
            task: variances.get(task, 0.0) or (PRIOR_SLOPE * change) ** 2 + MIN_VARIANCE
            for task, change in changes.items()
        }


def _fit_slope(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the regularized least-squares slope of pairs (change at the rung, final change)."""
    sum_of_squares = sum(change * change for change, _ in pairs)
    if sum_of_squares == 0:
        return PRIOR_SLOPE
    covariance = sum(change * final_change for change, final_change in pairs)
    weight = sum_of_squares / len(pairs)
    return min(1.0, max(0.0, (covariance + weight * PRIOR_SLOPE) / (sum_of_squares + weight)))


def _fit_variance(pairs: Sequence[tuple[float, float]], slope: float) -> float:
    """Return the variance around a line; its prior, half of the change, counts as one trial."""
    changed = [(change, final_change) for change, final_change in pairs if change or final_change]
    if not changed:
        return 0.0
    squares = [(final_change - slope * change) ** 2 for change, final_change in changed]
    prior = sum((PRIOR_SLOPE * change) ** 2 for change, _ in changed) / len(changed)
    return (sum(squares) + prior) / (len(changed) + 1) + MIN_VARIANCE
