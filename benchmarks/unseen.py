"""Plans that searches on a table select, judged by training seeds that the searches did not see.

``python benchmarks/unseen.py --table results/reference/nyuv2-plans.csv`` runs searches with
``random`` and the default sampler on the results of the lowest seed. Each search has a fixed
number of trials, baselines included. The plan with the highest Δm is selected, as ``mtlsearch
export`` selects it. It is judged by its Δm with the other seeds, each against the
``independent`` of the same seed. For comparison the output has ``hard``, and the best of all
plans with the lowest seed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from replay import PlanValues, build_sampler, read_values, run_trials

from mtlsearch.plan import SharingPlan
from mtlsearch.search import plan_code
from mtlsearch.search.evaluators._plan_table import read_table

HEADINGS = ("", "searches", "plans", "seen", "unseen", "better", "FLOPs", "unjudged")


@dataclass(frozen=True)
class Judge:
    """Results by which plans are judged.

    Attributes:
        seen: Δm in percent with the lowest seed, by plan.
        unseen: Δm in percent with every other seed, by plan code.
        relative_flops: FLOPs relative to ``independent``, by plan code.
    """

    seen: Mapping[SharingPlan, float]
    unseen: Mapping[str, list[float]]
    relative_flops: Mapping[str, float]

    @classmethod
    def from_table(cls, table: pd.DataFrame, values: PlanValues) -> Judge:
        """Collect the results of a table."""
        independent = next(plan for plan in values.plans if str(plan) == "independent")
        flops = table.groupby("plan")["flops"].first()
        reference = float(flops[plan_code(independent)])
        last = table[table["epoch"] == table["epoch"].max()]
        others = last[last["seed"] > last["seed"].min()]
        return cls(
            seen={
                plan: float(changes.mean())
                for plan, changes in zip(values.plans, values.measured, strict=True)
            },
            unseen={str(code): rows["delta_m"].tolist() for code, rows in others.groupby("plan")},
            relative_flops={str(code): float(value) / reference for code, value in flops.items()},
        )

    def row(self, name: str, plans: Iterable[SharingPlan]) -> dict[str, object]:
        """Average over the selected plans; plans without another seed are counted separately."""
        count_by_plan = Counter(plans)
        total = sum(count_by_plan.values())
        judged = {
            plan: count for plan, count in count_by_plan.items() if plan_code(plan) in self.unseen
        }
        weights = list(judged.values())
        results = [np.array(self.unseen[plan_code(plan)]) for plan in judged]

        def average(values: list[float]) -> float:
            return float(np.average(values, weights=weights)) if judged else float("nan")

        counts = list(count_by_plan.values())
        return {
            "": name,
            "searches": total,
            "plans": len(count_by_plan),
            "seen": np.average([self.seen[plan] for plan in count_by_plan], weights=counts),
            "unseen": average([float(np.mean(values)) for values in results]),
            "better": average([float(np.mean(values > 0)) for values in results]),
            "FLOPs": np.average(
                [self.relative_flops[plan_code(plan)] for plan in count_by_plan], weights=counts
            ),
            "unjudged": 1 - sum(weights) / total,
        }


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True, help="table of trained plans")
    parser.add_argument("--setting", help="value of the table's column `setting`")
    parser.add_argument("--trials", type=int, default=24, help="trials per search")
    parser.add_argument("--searches", type=int, default=200, help="searches per sampler")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    return parser.parse_args()


def main() -> None:
    """Search, judge and print."""
    options = parse()
    values = read_values(options.table, options.setting)
    judge = Judge.from_table(read_table(options.table, options.setting), values)
    seen = judge.seen
    hard = next(plan for plan in values.plans if str(plan) == "hard")
    rows = [
        judge.row("hard", [hard]),
        judge.row("all plans", [max(seen, key=seen.__getitem__)]),
    ]
    for name in ("random", "auto"):
        space, sampler = build_sampler(name, values, is_partial=True)
        selected = []
        for seed in range(options.searches):
            trials = islice(run_trials(space, sampler, values, seed), options.trials)
            selected.append(max((plan for plan, _ in trials), key=seen.__getitem__))
        rows.append(judge.row(name, selected))
    frame = pd.DataFrame(rows, columns=list(HEADINGS))
    print(frame.to_string(index=False, float_format="%.2f"))
    if options.out is not None:
        frame.to_csv(options.out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
