"""Ranking of all plans by the posterior of the surrogate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mtlsearch.errors import RunError
from mtlsearch.plan import Cost, SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.results import Baseline
from mtlsearch.search.estimate._early_changes import extrapolate_early
from mtlsearch.search.estimate._estimate import Estimate, PlanEstimate
from mtlsearch.search.estimate._reliability import early_to_final_correlations, task_estimate
from mtlsearch.search.estimate._task_model import PriorMean, TaskModel, fit_models
from mtlsearch.search.samplers import (
    Array,
    Observation,
    ObservationHistory,
    SharingFeatures,
    TrainingRows,
    sharing_features,
    training_rows,
)
from mtlsearch.search.space import CandidateSpace
from mtlsearch.study import StudyView

BASELINES: tuple[Baseline, ...] = ("independent", "hard")


def rank_plans(
    space: CandidateSpace,
    view: StudyView,
    *,
    cost: Callable[[Candidate], Cost],
    epochs: int,
    full_epochs: int,
    prior: PriorMean | None = None,
) -> Estimate:
    """Rank all plans of a space by their expected Δm, given all trainings of a study.

    Args:
        space: the candidate space.
        view: the study, with a complete ``independent`` trial.
        cost: returns parameters and FLOPs of a candidate.
        epochs: epoch of the short trainings.
        full_epochs: epochs of a complete training.
        prior: estimated change in percent by task and plan, such as from merged networks.

    Returns:
        The estimate.

    Raises:
        RunError: the plans of the space cannot be enumerated.
    """
    view = with_reached_rungs(view)
    plans = _with_baselines(space, estimated_plans(space))
    trained = [
        item
        for item in ObservationHistory().update(view.with_delta_m_only())
        if item.changes is not None and _is_of_backbone(item, plans[0], space.backbones[0])
    ]
    trained = extrapolate_early(trained, view, space.tasks)
    rows = _as_one_fidelity(training_rows(trained, space.tasks))
    row_plans = [
        item.proposal.candidate.plan for item in trained for _ in range(1 + len(item.second_seeds))
    ]
    models = fit_models(rows, row_plans, plans, space.tasks, prior)
    features = sharing_features(plans)
    index_by_baseline: dict[Baseline, int] = {
        baseline: plans.index(space.baseline_candidate(baseline).plan) for baseline in BASELINES
    }
    differences = [
        model.difference(features[task], index_by_baseline["independent"])
        for task, model in enumerate(models)
    ]
    means = np.array([mean for mean, _ in differences])  # [T, N]
    variances = np.array([variance for _, variance in differences])
    items = _items(space, plans, means, variances, trained, cost)
    ranked = sorted(range(len(plans)), key=lambda index: -items[index].mean)
    best = next((index for index in ranked if items[index].baseline is None), ranked[0])
    allowed = {
        baseline: index
        for baseline, index in index_by_baseline.items()
        if space.limits is None or space.limits.allows(space.baseline_candidate(baseline))
    } or index_by_baseline
    better = max(allowed, key=lambda baseline: items[allowed[baseline]].mean)
    difference, deviation = _delta_m_difference(models, features, best, allowed[better])
    early = early_to_final_correlations(view, space.tasks, epochs)
    return Estimate(
        plans=tuple(items[index] for index in ranked),
        task_by_name={
            task: task_estimate(model, features[index], early[task])
            for index, (task, model) in enumerate(zip(space.tasks, models, strict=True))
        },
        better_baseline=better,
        difference=difference,
        difference_deviation=deviation,
        epochs=epochs,
        full_epochs=full_epochs,
    )


def estimated_plans(space: CandidateSpace) -> list[SharingPlan]:
    """Return the plans of a space within its limits.

    Args:
        space: the candidate space.

    Returns:
        Trees with the units of the first backbone, each once.

    Raises:
        RunError: the plans cannot be enumerated, or are not trees of two or more tasks.
    """
    candidates = space.enumerate_plans()
    plans = [
        candidate.plan
        for candidate in candidates or ()
        if candidate.backbone in (None, space.backbones[0])
    ]
    if candidates is None or len(space.tasks) < 2 or not all(plan.is_tree for plan in plans):
        raise RunError(
            "the plans of this search space cannot be estimated: they must be enumerable trees "
            "of two or more tasks",
            where="search.space",
            next_step="set `search.space: tree`, with fewer units if it has too many plans",
        )
    unique = dict.fromkeys(plans)
    return [plan for plan in unique if space.candidate_of(plan) is not None]


def with_reached_rungs(view: StudyView) -> StudyView:
    """Return a study in which interrupted trials with results at a rung are paused there.

    A process that is killed after a promotion leaves such a trial. It stays as it is if another
    trial has continued it.
    """
    left = [item for item in view.records if item.state == "interrupted" and item.rung_results]
    if not left:
        return view
    others = {item.candidate.digest for item in view.records if item.state != "interrupted"}
    last = {item.candidate.digest: item.number for item in left}
    numbers = {number for digest, number in last.items() if digest not in others}
    return StudyView(
        records=tuple(
            replace(record, state="paused") if record.number in numbers else record
            for record in view.records
        ),
        objectives=view.objectives,
        params_by_number=view.params_by_number,
        repeats=view.repeats,
    )


def _with_baselines(space: CandidateSpace, plans: Sequence[SharingPlan]) -> list[SharingPlan]:
    baselines = [space.baseline_candidate(name).plan for name in BASELINES]
    return list(dict.fromkeys([*baselines, *plans]))


def _is_of_backbone(item: Observation, plan: SharingPlan, backbone: str) -> bool:
    candidate = item.proposal.candidate
    return len(candidate.plan.rows) == len(plan.rows) and candidate.backbone in (None, backbone)


def _as_one_fidelity(rows: TrainingRows) -> TrainingRows:
    """Return the trainings with the extrapolated changes of paused ones as final changes.

    With two complete trainings, the variance of an extrapolation is a guess. The noise of all
    trainings is fitted together instead.
    """
    return replace(rows, extra_variances=np.zeros_like(rows.extra_variances))


def _delta_m_difference(
    models: Sequence[TaskModel], features: SharingFeatures, left: int, right: int
) -> tuple[float, float]:
    """Return mean and standard deviation of the difference in Δm between two plans."""
    means, variances = zip(
        *(
            replace(model, offsets=model.offsets[[right, left]]).difference(pair, 0)
            for model, pair in zip(models, features[:, [right, left]], strict=True)
        ),
        strict=True,
    )
    count = len(models)
    mean = sum(float(values[1]) for values in means) / count
    return mean, math.sqrt(sum(float(values[1]) for values in variances)) / count


def _items(
    space: CandidateSpace,
    plans: Sequence[SharingPlan],
    means: Array,
    variances: Array,
    trained: Sequence[Observation],
    cost: Callable[[Candidate], Cost],
) -> list[PlanEstimate]:
    trained_plans = {item.proposal.candidate.plan for item in trained}
    count, items = len(space.tasks), []
    baseline_by_plan = {space.baseline_candidate(name).plan: name for name in BASELINES}
    for index, plan in enumerate(plans):
        baseline = baseline_by_plan.get(plan)
        candidate = (
            space.candidate_of(plan) if baseline is None else space.baseline_candidate(baseline)
        )
        cost_of_plan = cost(candidate or Candidate(plan, backbone=space.backbones[0]))
        items.append(
            PlanEstimate(
                plan=plan,
                baseline=baseline,
                mean=float(means[:, index].mean()),
                deviation=math.sqrt(float(variances[:, index].sum())) / count,
                mean_by_task=_by_task(space.tasks, means[:, index]),
                deviation_by_task=_by_task(space.tasks, np.sqrt(variances[:, index])),
                parameters=cost_of_plan.parameters,
                flops=cost_of_plan.flops,
                is_trained=plan in trained_plans,
            )
        )
    return items


def _by_task(tasks: Sequence[str], values: Array) -> dict[str, float]:
    return dict(zip(tasks, map(float, values), strict=True))
