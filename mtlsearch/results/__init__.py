"""Trial records, Δm, objectives, the Pareto front and the leaderboard, as values without torch.

Only :func:`leaderboard` imports pandas.

>>> from mtlsearch.plugin import Metric
>>> from mtlsearch.results import TaskResult, delta_m
>>> accuracy = (Metric("accuracy", higher_is_better=True, primary=True),)
>>> abs_rel = (Metric("abs_rel", higher_is_better=False, primary=True),)
>>> def results(scene, depth):
...     return {
...         "scene": TaskResult({"accuracy": scene}, accuracy),
...         "depth": TaskResult({"abs_rel": depth}, abs_rel),
...     }
>>> value, reason = delta_m(results(0.6, 0.21), reference=results(0.5, 0.2))
>>> round(value, 3)
7.5
"""

from mtlsearch.results._baseline_remarks import baseline_remarks
from mtlsearch.results._column_reference import column_reference
from mtlsearch.results._columns import HEADINGS
from mtlsearch.results._delta_m import (
    CountedMetrics,
    counted_metrics,
    delta_m,
    delta_m_by_task,
    delta_m_error,
    delta_m_error_by_task,
    deltas,
    reference_at,
    reference_of,
    reference_trial,
    why_unranked,
)
from mtlsearch.results._expectation import Expectation
from mtlsearch.results._latency import Latency
from mtlsearch.results._leaderboard import leaderboard
from mtlsearch.results._objective import (
    COSTS,
    DELTA_M,
    TIME,
    Direction,
    Objective,
    objective_values,
    objectives_in,
    objectives_of,
)
from mtlsearch.results._pareto import front_of, pareto_front
from mtlsearch.results._per_class import per_class_results
from mtlsearch.results._result import TaskResult, jackknife_error, relative_drop
from mtlsearch.results._rung_ranking import RungRank, rank_at_epoch, rung_ranks
from mtlsearch.results._seed_statistics import (
    ResultsBySeed,
    SeedStatistics,
    finalists,
    seed_statistics,
)
from mtlsearch.results._study_index import StudyIndex
from mtlsearch.results._trial import (
    FINISHED_STATES,
    Baseline,
    Compression,
    KeptCost,
    ProposalBasis,
    State,
    TrialRecord,
)

__all__ = [
    "COSTS",
    "DELTA_M",
    "FINISHED_STATES",
    "HEADINGS",
    "TIME",
    "Baseline",
    "Compression",
    "CountedMetrics",
    "Direction",
    "Expectation",
    "KeptCost",
    "Latency",
    "Objective",
    "ProposalBasis",
    "ResultsBySeed",
    "RungRank",
    "SeedStatistics",
    "State",
    "StudyIndex",
    "TaskResult",
    "TrialRecord",
    "baseline_remarks",
    "column_reference",
    "counted_metrics",
    "delta_m",
    "delta_m_by_task",
    "delta_m_error",
    "delta_m_error_by_task",
    "deltas",
    "finalists",
    "front_of",
    "jackknife_error",
    "leaderboard",
    "objective_values",
    "objectives_in",
    "objectives_of",
    "pareto_front",
    "per_class_results",
    "rank_at_epoch",
    "reference_at",
    "reference_of",
    "reference_trial",
    "relative_drop",
    "rung_ranks",
    "seed_statistics",
    "why_unranked",
]
