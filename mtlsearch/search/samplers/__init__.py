"""Samplers: strategies that propose the next candidate.

>>> from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
>>> from mtlsearch.search.evaluators import FunctionEvaluator
>>> from mtlsearch.search.samplers import make_sampler
>>> from mtlsearch.search.space import build_candidate_space
>>> evaluator = FunctionEvaluator(lambda candidate: {"depth": 1, "scene": 1}, ["depth", "scene"], 4)
>>> sampler = make_sampler(build_candidate_space(TreeSpace(TreeSettings()), evaluator))
>>> proposal = sampler.propose([], seed=0)
>>> str(proposal.candidate.plan), dict(proposal.params)
('independent', {'split_1': 0})
"""

from mtlsearch.search.samplers._base import Sampler
from mtlsearch.search.samplers._factory import make_sampler, sharing_gp_of
from mtlsearch.search.samplers._gp_surrogate import (
    CONSTANT_VARIANCE,
    Array,
    SharingFeatures,
    SharingPosterior,
    TaskParams,
    TrainingRows,
    fit_tasks,
    kernel,
    kernel_diagonal,
    sharing_features,
)
from mtlsearch.search.samplers._observation_history import ObservationHistory
from mtlsearch.search.samplers._observations import (
    Observation,
    Observations,
    complete_observations,
    select_observations,
    surrogate_applies,
    usable_observations,
    within_limits,
)
from mtlsearch.search.samplers._sharing_gp import (
    MAX_EXPECTED_REGRET,
    SharingGPSampler,
    SharingModel,
    features_of,
    leader,
    log_improvement,
    training_rows,
)

__all__ = [
    "CONSTANT_VARIANCE",
    "MAX_EXPECTED_REGRET",
    "Array",
    "Observation",
    "ObservationHistory",
    "Observations",
    "Sampler",
    "SharingFeatures",
    "SharingGPSampler",
    "SharingModel",
    "SharingPosterior",
    "TaskParams",
    "TrainingRows",
    "complete_observations",
    "features_of",
    "fit_tasks",
    "kernel",
    "kernel_diagonal",
    "leader",
    "log_improvement",
    "make_sampler",
    "select_observations",
    "sharing_features",
    "sharing_gp_of",
    "surrogate_applies",
    "training_rows",
    "usable_observations",
    "within_limits",
]
