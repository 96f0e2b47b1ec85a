"""Means over seeds of a table of trained plans, as ``docs/does-it-work.md`` shows them.

``python benchmarks/plan_means.py results/reference/leaves-plans.csv`` prints Markdown: one row per
plan with Δm in percent against ``independent`` of the same seed, its standard error over seeds, the
mean change of each primary metric in percent, and the FLOPs relative to ``independent``. The best
plan comes first. Below, it prints how far seeds agree on the order of plans: the rank correlation
of Δm between each two seeds, over the plans that share units.

Plans with one seed have no error and are left out.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean

from scipy.stats import spearmanr

from mtlsearch.plan import SharingPlan
from mtlsearch.results import TaskResult, delta_m
from mtlsearch.results._seed_statistics import standard_error
from mtlsearch.search.evaluators._plan_table import TrainedPlan, read_table, trained_plans


@dataclass(frozen=True)
class PlanMeans:
    """Changes of a plan against ``independent`` of the same seed, in percent.

    Attributes:
        plan: the plan.
        delta_ms: Δm by seed.
        changes: mean change of each primary metric, by its name.
        flops: FLOPs relative to ``independent``.
    """

    plan: SharingPlan
    delta_ms: Mapping[int, float]
    changes: Mapping[str, float]
    flops: float

    @property
    def mean(self) -> float:
        """Mean Δm over seeds."""
        return fmean(self.delta_ms.values())


def primary_metrics(results: Mapping[str, TaskResult]) -> dict[str, float]:
    """Return the primary metric of each task, by its name."""
    return {
        f"{task}.{spec.name}": result.value(spec)
        for task, result in results.items()
        for spec in result.specs
        if spec.primary
    }


def means_of(path: Path, setting: str | None) -> list[PlanMeans]:
    """Return the plans that have several seeds, the best first."""
    table = read_table(path, setting)
    by_seed = {int(seed): trained_plans(table, int(seed)) for seed in sorted(set(table["seed"]))}
    first = next(iter(next(iter(by_seed.values()))))
    independent = SharingPlan.independent(first.tasks, len(first.rows))
    references = {
        seed: trained[independent] for seed, trained in by_seed.items() if independent in trained
    }
    plans = dict.fromkeys(plan for trained in by_seed.values() for plan in trained)
    items = []
    for plan in plans:
        pairs = {
            seed: (by_seed[seed][plan], reference)
            for seed, reference in references.items()
            if plan in by_seed[seed]
        }
        if len(pairs) > 1:
            items.append(_means(plan, pairs))
    return sorted(items, key=lambda item: -item.mean)


def _means(plan: SharingPlan, pairs: Mapping[int, tuple[TrainedPlan, TrainedPlan]]) -> PlanMeans:
    values, changes = {}, dict[str, list[float]]()
    for seed, (trained, reference) in pairs.items():
        value, reason = delta_m(trained.results, reference.results)
        if value is None:
            raise SystemExit(f"{plan} with seed {seed}: {reason}")
        values[seed] = value
        before = primary_metrics(reference.results)
        for name, metric in primary_metrics(trained.results).items():
            changes.setdefault(name, []).append(100.0 * (metric / before[name] - 1.0))
    trained, reference = next(iter(pairs.values()))
    return PlanMeans(
        plan,
        values,
        {name: fmean(of_metric) for name, of_metric in changes.items()},
        trained.cost.flops / reference.cost.flops,
    )


def show(items: Sequence[PlanMeans]) -> None:
    """Print one Markdown row per plan."""
    counts = {len(item.delta_ms) for item in items}
    metrics = list(items[0].changes)
    header = ["plan", *(["seeds"] if len(counts) > 1 else []), "Δm", *metrics]
    print("| " + " | ".join([*header, "FLOPs relative to `independent`"]) + " |")
    print("| --- |" + " --: |" * len(header))
    for item in items:
        name = str(item.plan).replace("|", "\\|")
        seeds = [str(len(item.delta_ms))] if len(counts) > 1 else []
        if name == "independent":
            cells = [f"`{name}`", *seeds, "0", *("0" for _ in metrics), "1"]
        else:
            error = standard_error(list(item.delta_ms.values()))
            cells = [
                f"`{name}`" if name == "hard" else name,
                *seeds,
                f"{item.mean:+.1f} ± {error:.1f}",
                *(f"{item.changes[metric]:+.1f}" for metric in metrics),
                f"{item.flops:.2f}",
            ]
        print("| " + " | ".join(cells) + " |")


def show_agreement(items: Sequence[PlanMeans]) -> None:
    """Print the rank correlation of Δm between each two seeds."""
    seeds = sorted({seed for item in items for seed in item.delta_ms})
    for left, right in combinations(seeds, 2):
        pairs = [
            (item.delta_ms[left], item.delta_ms[right])
            for item in items
            if item.plan.shares and {left, right} <= set(item.delta_ms)
        ]
        correlation = spearmanr(*zip(*pairs, strict=True))[0] if len(pairs) > 2 else math.nan
        print(f"seeds {left} and {right}, {len(pairs)} plans: rank correlation {correlation:.2f}")


def main() -> None:
    """Print the table and the agreement of seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="table of trained plans")
    parser.add_argument("--setting", help="value of its column `setting`")
    options = parser.parse_args()
    items = means_of(options.table, options.setting)
    if not items:
        raise SystemExit(f"{options.table}: no plan has several seeds")
    show(items)
    print()
    show_agreement(items)


if __name__ == "__main__":
    main()
