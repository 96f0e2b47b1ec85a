"""Factory of candidate spaces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from mtlsearch.affinity import Affinity
from mtlsearch.config import LimitsConfig, SearchConfig
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.plan import Cost, SharingPlan
from mtlsearch.plugin import Candidate, SearchSpace
from mtlsearch.results import TIME, Baseline, Latency
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.search.space._candidate_space import CandidateSpace
from mtlsearch.search.space._feasibility import check_feasible
from mtlsearch.search.space._limits import ResourceLimits, format_key

BASELINES: tuple[Baseline, ...] = ("independent", "hard")


def build_candidate_space(
    space: SearchSpace[Any],
    evaluator: Evaluator,
    config: SearchConfig | None = None,
    *,
    backbones: Sequence[str] = ("any",),
    learning_rate: float = 1.0,
    allowed_plans: Collection[SharingPlan] | None = None,
    limits: LimitsConfig | None = None,
    measure_latency: Callable[[Candidate], Latency] | None = None,
    affinity: Affinity | None = None,
    kept_plan: SharingPlan | None = None,
    where: Callable[..., str] = format_key,
) -> CandidateSpace:
    """Build a candidate space and check that it contains a feasible candidate.

    Args:
        space: the search space.
        evaluator: measures candidates; it defines tasks, units and costs.
        config: the ``search`` part of a run file; None for the defaults.
        backbones: timm names to choose from; baselines use the first.
        learning_rate: the learning rate if none is searched.
        allowed_plans: plans that can be proposed; None for all of the search space.
        limits: the ``limits`` part of a run file; None for no limits.
        measure_latency: measures the latency of a candidate's network. It is required if
            latency is limited or an objective.
        affinity: task affinity for the warm start; None for no warm start.
        kept_plan: plan of the kept network, which all plans extend; None if all tasks are trained.
        where: returns the place of a key in the run file, for messages.

    Returns:
        The candidate space.

    Raises:
        ConfigError: no candidate is within the limits, or a latency cannot be measured.
        RunError: the affinity belongs to other tasks or units.
    """
    candidates = CandidateSpace(
        space=space,
        config=config or SearchConfig.model_validate({}),
        tasks=evaluator.tasks,
        backbones=tuple(backbones),
        learning_rate=learning_rate,
        units_of=evaluator.units,
        allowed_plans=allowed_plans,
        affinity=affinity,
        kept_plan=kept_plan,
    )
    _check_affinity(candidates, where("search", "warm_start"))
    resource_limits = _build_limits(
        candidates, limits or LimitsConfig(), evaluator.cost, measure_latency, where
    )
    candidates = replace(candidates, limits=resource_limits)
    check_feasible(candidates)
    return candidates


def _build_limits(
    space: CandidateSpace,
    config: LimitsConfig,
    cost: Callable[[Candidate], Cost],
    measure_latency: Callable[[Candidate], Latency] | None,
    where: Callable[..., str],
) -> ResourceLimits | None:
    """Return the limits with relative ones resolved; None if nothing is limited or measured."""
    limit_by_key, always_measure = config.limit_by_key, TIME in space.config.objectives
    if not limit_by_key and not always_measure:
        return None
    if (TIME in limit_by_key or always_measure) and measure_latency is None:
        raise ConfigError(
            "`latency_ms` requires a network, and this evaluator does not build one",
            where=where("limits", TIME) if TIME in limit_by_key else where("search", "objectives"),
            next_step="use params and flops, or search with a run file",
        )
    baselines = {baseline: space.baseline_candidate(baseline) for baseline in BASELINES}
    independent, hard = (cost(baselines[baseline]) for baseline in BASELINES)
    cost_by_key = {
        "params": (independent.parameters, hard.parameters),
        "flops": (independent.flops, hard.flops),
    }
    max_by_key = {
        key: limit_by_key[key].resolve(
            independent=of_independent, hard=of_hard, num_tasks=len(space.tasks)
        )
        for key, (of_independent, of_hard) in cost_by_key.items()
        if key in limit_by_key
    }
    return ResourceLimits(
        cost=cost,
        num_tasks=len(space.tasks),
        baselines=baselines,
        params=max_by_key.get("params"),
        flops=max_by_key.get("flops"),
        latency_ms=limit_by_key.get(TIME),
        measure_latency=measure_latency,
        where=where,
        always_measure=always_measure,
    )


def _check_affinity(space: CandidateSpace, where: str) -> None:
    """Raise an error if the affinity does not have the tasks and units of the space."""
    affinity = space.affinity
    if affinity is None:
        return
    units = tuple(unit.name for unit in space.units_of(space.backbones[0]))
    for noun, measured, expected in (
        ("tasks", affinity.tasks, space.tasks),
        ("units", affinity.units, units),
    ):
        if measured != expected:
            raise RunError(
                f"the task affinity has the {noun} {', '.join(measured)}, "
                f"the run has {', '.join(expected)}",
                where=where,
                next_step="run `mtlsearch affinity RUN.yaml` again, or set `warm_start: null`",
            )
