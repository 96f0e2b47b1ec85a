"""Rules for Δm if a metric of the ``independent`` baseline is near a bound.

``python benchmarks/near_bounds.py --out results/reference/near-bounds.csv`` compares rules.

**Near the worst value**, on the tables of trained plans. In the first epochs, mAP is 0.002. For
each table, epoch and rule, the output contains:

* ``counted``: number of counted metrics with the lowest seed;
* ``spread``: standard deviation of Δm over plans in percent, the mean over seeds;
* ``seeds``: rank correlation of Δm between seeds, over the plans that have all seeds;
* ``end``: rank correlation with Δm after the last epoch, of the lowest seed.

**Near the best value**, simulated: plans that differ in one task share an easy second task, whose
accuracy is measured on n images. All plans are right for 99 % of all images there, but one in ten
plans harms the task: 80 %. The baseline was measured at 1.0. The output contains the rank
correlation of Δm with the first task over unharmed plans (``seeds``), and the fraction of harmed
plans among the best tenth (``harmed``).

Rules:

* ``all``: every metric is counted;
* ``out 1``, ``out 2``, ``out 3``: a metric within so many standard errors of its worst value is
  not counted; ``out 2`` is computed by ``mtlsearch.results.delta_m``;
* ``least 2``: the denominator is at least the value two standard errors above the worst one;
* ``one image`` (near the best value): values within one image of the best one are equal, as in
  mtlsearch; ``out``: the metric is not counted; ``error``: the change is that of the error, whose
  denominator is at least one image.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from mtlsearch.files import atomic_write
from mtlsearch.results import TaskResult, counted_metrics, delta_m
from mtlsearch.search.evaluators._plan_table import metrics_by_task

REFERENCE = Path(__file__).parent.parent / "results" / "reference"
NUM_IMAGES = {"scenes-plans": 160, "nyuv2-plans": 185, "nyuv2-resnet18-plans": 185}
"""Validation images of each table."""

RULES = ("all", "out 1", "out 2", "out 3", "least 2")
BEST_RULES = ("all", "one image", "out", "error")
UNBOUNDED = ("abs_rel",)
REPEATS, NUM_PLANS = 200, 50


def changes_of(
    rows: pd.DataFrame, independent: str, num_images: int, rule: str
) -> tuple[pd.Series, int]:
    """Return Δm in percent by plan, and the number of counted metrics.

    Args:
        rows: the rows of one setting, seed and epoch.
        independent: code of the ``independent`` plan.
        num_images: number of validation images.
        rule: one of ``RULES``.
    """
    frame = rows.set_index("plan")
    if rule == "out 2":
        return _changes_of_mtlsearch(frame, independent, num_images)
    name, _, standard_errors = rule.partition(" ")
    square = float(standard_errors or 0) ** 2
    noise = square / (num_images + square)
    changes_by_task: dict[str, list[pd.Series]] = {}
    for task, metric_by_column in metrics_by_task(frame).items():
        for column, metric in metric_by_column.items():
            baseline = frame[column][independent]
            is_bounded = metric.name not in UNBOUNDED
            if name == "out" and is_bounded and baseline <= noise:
                continue
            least = noise if name == "least" and is_bounded else 0.0
            sign = 1.0 if metric.higher_is_better else -1.0
            change = sign * (frame[column] - baseline) / max(baseline, least)
            changes_by_task.setdefault(task, []).append(change)
    means = [pd.concat(changes, axis=1).mean(axis=1) for changes in changes_by_task.values()]
    counted = sum(map(len, changes_by_task.values()))
    return 100.0 * pd.concat(means, axis=1).mean(axis=1), counted


def _changes_of_mtlsearch(
    frame: pd.DataFrame, independent: str, num_images: int
) -> tuple[pd.Series, int]:
    metrics = metrics_by_task(frame)
    results_by_plan = {
        str(plan): {
            task: TaskResult(
                {metric.name: float(row[column]) for column, metric in by_column.items()},
                tuple(
                    replace(metric, high=np.inf if metric.name in UNBOUNDED else 1.0)
                    for metric in by_column.values()
                ),
                num_images=num_images,
            )
            for task, by_column in metrics.items()
        }
        for plan, row in frame.iterrows()
    }
    reference = results_by_plan[independent]
    values = {plan: delta_m(results, reference)[0] for plan, results in results_by_plan.items()}
    counted = sum(map(len, counted_metrics(reference).by_task.values()))
    return pd.Series(values, dtype=float), counted


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation; NaN if one side is constant."""
    is_constant = np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9
    return float("nan") if is_constant else float(spearmanr(a, b).statistic)


def near_worst(name: str, num_images: int) -> Iterator[Mapping[str, object]]:
    """Yield one row per setting, epoch and rule of a table."""
    table = pd.read_csv(REFERENCE / f"{name}.csv", dtype={"plan": str, "setting": str})
    for setting, rows in table.groupby("setting"):
        num_tasks = len(str(rows["plan"].iloc[0]).split()[0])
        digits = "".join(map(str, range(num_tasks)))
        independent = " ".join([digits] * len(str(rows["plan"].iloc[0]).split()))
        last = rows["epoch"].max()
        plans_of_seeds = [set(of_seed["plan"]) for _, of_seed in rows.groupby("seed")]
        common = sorted(set.intersection(*plans_of_seeds) - {independent})
        for epoch, at_epoch in rows.groupby("epoch"):
            for rule in RULES:
                by_seed, counts = zip(
                    *(
                        changes_of(of_seed, independent, num_images, rule)
                        for _, of_seed in at_epoch.groupby("seed")
                    ),
                    strict=True,
                )
                end, _ = changes_of(
                    rows[(rows["epoch"] == last) & (rows["seed"] == rows["seed"].min())],
                    independent,
                    num_images,
                    "all",
                )
                first = by_seed[0].drop(independent)
                yield {
                    "table": f"{name} {setting}",
                    "images": num_images,
                    "epoch": epoch,
                    "rule": rule,
                    "counted": counts[0],
                    "spread": np.mean([changes[common].std() for changes in by_seed]),
                    "seeds": np.mean(
                        [
                            rank_correlation(a[common].to_numpy(), b[common].to_numpy())
                            for a, b in combinations(by_seed, 2)
                        ]
                        or [np.nan]
                    ),
                    "end": rank_correlation(first.to_numpy(), end[first.index].to_numpy()),
                }


def near_best(num_images: int) -> Iterator[Mapping[str, object]]:
    """Yield one row per rule of the simulation."""
    rng = np.random.default_rng(0)
    results: dict[str, list[tuple[float, float]]] = {rule: [] for rule in BEST_RULES}
    for _ in range(REPEATS):
        first_task = rng.normal(0.0, 0.02, NUM_PLANS)
        is_harmed = np.arange(NUM_PLANS) < NUM_PLANS // 10
        accuracy = rng.binomial(num_images, np.where(is_harmed, 0.8, 0.99)) / num_images
        limit = 1.0 - 1.0 / num_images
        easy_task = {
            "all": accuracy - 1.0,
            "one image": (np.minimum(accuracy, limit) - limit) / limit,
            "out": np.zeros(NUM_PLANS),
            "error": (accuracy - 1.0) * num_images,
        }
        for rule in BEST_RULES:
            delta_m = first_task if rule == "out" else (first_task + easy_task[rule]) / 2
            best = np.argsort(-delta_m)[: NUM_PLANS // 10]
            agreement = rank_correlation(delta_m[~is_harmed], first_task[~is_harmed])
            results[rule].append((agreement, float(is_harmed[best].mean())))
    for rule, values in results.items():
        agreement, harmed = np.mean(values, axis=0)
        yield {
            "table": "saturated task",
            "images": num_images,
            "rule": rule,
            "seeds": agreement,
            "harmed": harmed,
        }


def main() -> None:
    """Compare the rules, print the result and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    options = parser.parse_args()
    rows = [row for name, count in NUM_IMAGES.items() for row in near_worst(name, count)]
    rows += [row for count in (20, 50, 200) for row in near_best(count)]
    frame = pd.DataFrame(rows)
    print(frame.to_string(index=False, float_format="%.2f"))
    if options.out is not None:
        with atomic_write(options.out) as temporary:
            frame.to_csv(temporary, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
