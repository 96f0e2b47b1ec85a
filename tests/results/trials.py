"""Trial records for the tests, without training."""

from __future__ import annotations

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Distillation, Metric
from mtlsearch.results import Baseline, Expectation, State, TaskResult, TrialRecord

TASKS = ("boxes", "depth", "scene")
SPECS = {
    "boxes": (Metric("mAP", True, primary=True), Metric("mAP50", True)),
    "depth": (Metric("abs_rel", False, primary=True, high=float("inf")),),
    "scene": (Metric("accuracy", True, primary=True), Metric("F1", True)),
}
UNITS = 5


def results(boxes: float = 0.3, depth: float = 0.2, scene: float = 0.6) -> dict[str, TaskResult]:
    return {
        "boxes": TaskResult({"mAP": boxes, "mAP50": boxes * 1.5}, SPECS["boxes"]),
        "depth": TaskResult({"abs_rel": depth}, SPECS["depth"]),
        "scene": TaskResult({"accuracy": scene, "F1": scene - 0.05}, SPECS["scene"]),
    }


def trial(
    number: int,
    plan: SharingPlan | None = None,
    measured: dict[str, TaskResult] | None = None,
    *,
    state: State = "complete",
    baseline: Baseline | None = None,
    flops: int | None = None,
    weights: tuple[float, ...] = (1.0, 1.0, 1.0),
    reason: str = "",
    balancer: str = "static",
    distillation: Distillation | None = None,
    attention: bool = False,
) -> TrialRecord:
    plan = plan or SharingPlan.from_splits(TASKS, [2, 4], UNITS)
    done = state == "complete"
    return TrialRecord(
        number=number,
        state=state,
        baseline=baseline,
        candidate=Candidate(
            plan,
            dict(zip(TASKS, weights, strict=True)),
            1e-3,
            "resnet18",
            balancer,
            distillation,
            attention,
        ),
        parameters=2_310_000 * sum(plan.copies),
        flops=122_000_000 * sum(plan.copies) if flops is None else flops,
        results=(measured or results()) if done else {},
        epochs=5 if done else 0,
        seconds=10.5 + number,
        reason=reason,
    )


def baselines() -> list[TrialRecord]:
    return [
        trial(0, SharingPlan.independent(TASKS, UNITS), baseline="independent"),
        trial(1, SharingPlan.hard(TASKS, UNITS), results(0.28, 0.21, 0.63), baseline="hard"),
    ]


def run() -> list[TrialRecord]:
    """Return a small run: two baselines, better and worse trials, a failed one."""
    split = SharingPlan.from_splits
    return [
        *baselines(),
        trial(2, split(TASKS, [2, 4], UNITS), results(0.31, 0.195, 0.62)),
        trial(
            3,
            split(TASKS, [0, 3], UNITS),
            state="failed",
            reason="the loss of task 'boxes' became nan",
        ),
        trial(4, split(TASKS, [4, 1], UNITS), results(0.29, 0.2, 0.66)),
        trial(5, split(TASKS, [1, 1], UNITS), results(0.3, 0.19, 0.61)),
        trial(6, split(TASKS, [3, 3], UNITS), results(0.325, 0.204, 0.64)),
        trial(7, split(TASKS, [5, 2], UNITS), results(0.27, 0.22, 0.6), weights=(0.5, 2.0, 0.5)),
        trial(
            8, split(TASKS, [4, 4], UNITS), state="interrupted", reason="stopped before it ended"
        ),
        trial(9, split(TASKS, [4, 4], UNITS), results(0.305, 0.2, 0.635)),
    ]


def expectations() -> dict[int, Expectation]:
    """Return expectations of :func:`run`, of which trial 5 has the highest; it has two seeds."""
    means = {0: 0.0, 1: -0.5, 2: 1.4, 4: 0.3, 5: 2.1, 6: 1.9, 7: -3.0, 9: 0.2}
    return {
        number: Expectation(
            mean,
            0.0 if number == 0 else 0.8,
            2 if number == 5 else 1,
            None if number == 0 else 0.75,
            None if number == 1 else 0.995,
        )
        for number, mean in means.items()
    }
