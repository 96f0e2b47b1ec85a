"""The estimate of all plans, as it is stored and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mtlsearch.errors import PlanError, RunError, describe_invalid
from mtlsearch.plan import SharingPlan
from mtlsearch.results import Baseline


@dataclass(frozen=True, slots=True)
class PlanEstimate:
    """Expected change of a plan against ``independent``, in percent; higher is better.

    Attributes:
        plan: the plan.
        baseline: baseline that the plan is; None for other plans.
        mean: posterior mean of Δm.
        deviation: posterior standard deviation of Δm.
        mean_by_task: posterior mean of each task's change.
        deviation_by_task: posterior standard deviation of each task's change.
        parameters: number of scalars in the weights, heads included.
        flops: floating-point operations for one image, heads included.
        is_trained: whether the plan was trained, in full or in part.
    """

    plan: SharingPlan
    baseline: Baseline | None
    mean: float
    deviation: float
    mean_by_task: Mapping[str, float]
    deviation_by_task: Mapping[str, float]
    parameters: int
    flops: int
    is_trained: bool = False


@dataclass(frozen=True, slots=True)
class TaskEstimate:
    """How far the estimate of a task can be relied on.

    Attributes:
        spread: standard deviation of the task's change between plans, in percent.
        noise: standard deviation between trainings of one plan, in percent.
        ceiling: largest correlation that any estimate can have with single trainings.
        expected: expected correlation of this estimate with single trainings.
        left_out: rank correlation with trainings that are predicted from all other ones; None
            for few trainings.
        early_to_final: rank correlation between changes of one plan at the early epoch and at the
            end; None for few complete trainings.
        prior_correlation: rank correlation of the prior mean with the trainings; None without
            prior mean or with few trainings.
        prior_scale: factor of the prior mean; 0 if it was dropped, None without prior mean.
    """

    spread: float
    noise: float
    ceiling: float
    expected: float
    left_out: float | None = None
    early_to_final: float | None = None
    prior_correlation: float | None = None
    prior_scale: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimate of all plans of a space.

    Attributes:
        plans: all plans within the limits and both baselines, the best expected Δm first.
        task_by_name: reliability of each task's estimate.
        better_baseline: baseline within the limits with the higher expected Δm.
        difference: expected Δm of the best plan minus that of the better baseline.
        difference_deviation: posterior standard deviation of this difference.
        epochs: epoch of the short trainings.
        full_epochs: epochs of a complete training.
        has_own_schedule: whether the short trainings end at the lowest learning rate.
    """

    plans: tuple[PlanEstimate, ...]
    task_by_name: Mapping[str, TaskEstimate]
    better_baseline: Baseline
    difference: float
    difference_deviation: float
    epochs: int
    full_epochs: int
    has_own_schedule: bool = False

    @property
    def best(self) -> PlanEstimate:
        """The plan with the highest expected Δm that is not a baseline; a baseline if none is."""
        return next((item for item in self.plans if item.baseline is None), self.plans[0])

    @property
    def is_shown(self) -> bool:
        """Whether the best plan exceeds the better baseline by one standard deviation."""
        return self.best.baseline is None and self.difference > self.difference_deviation

    def to_json(self) -> dict[str, Any]:
        """Return a value for JSON.

        Returns:
            A dictionary that :meth:`from_json` reads.
        """
        value: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return value

    @classmethod
    def from_json(cls, value: object) -> Estimate:
        """Return the estimate that :meth:`to_json` wrote.

        Args:
            value: the JSON form.

        Returns:
            The estimate.

        Raises:
            RunError: a key is missing or its value is invalid.
        """
        try:
            return _ADAPTER.validate_python(value)
        except (ValidationError, PlanError) as error:
            raise RunError(
                f"the estimate cannot be read: {describe_invalid(error)}",
                next_step="run `mtlsearch estimate RUN.yaml` to write it again",
            ) from error


_ADAPTER = TypeAdapter(Estimate)
