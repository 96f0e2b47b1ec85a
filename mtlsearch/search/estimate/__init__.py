"""Estimate of all sharing plans from a few short trainings.

:func:`train_for_estimate` trains both baselines in full and a few plans to a third of the epochs.
They are ordinary trials of the study, which a later search resumes. With
:func:`train_with_own_schedule`, the short trainings end at the lowest learning rate, in a study of
their own. :func:`rank_plans` ranks all plans by the posterior mean of the surrogate.

>>> import numpy as np
>>> from mtlsearch.search.estimate import next_design
>>> shared = np.array([[[0], [1], [5], [9], [10]]])  # one task, five plans
>>> next_design(shared, [0, 4], [0, 4])
2
"""

from mtlsearch.search.estimate._design import design, next_design
from mtlsearch.search.estimate._estimate import Estimate, PlanEstimate, TaskEstimate
from mtlsearch.search.estimate._own_schedule import (
    ShortStudy,
    train_with_own_schedule,
    with_short_trainings,
)
from mtlsearch.search.estimate._ranking import estimated_plans, rank_plans
from mtlsearch.search.estimate._trainings import DEFAULT_PLANS, early_epoch, train_for_estimate

__all__ = [
    "DEFAULT_PLANS",
    "Estimate",
    "PlanEstimate",
    "ShortStudy",
    "TaskEstimate",
    "design",
    "early_epoch",
    "estimated_plans",
    "next_design",
    "rank_plans",
    "train_for_estimate",
    "train_with_own_schedule",
    "with_short_trainings",
]
