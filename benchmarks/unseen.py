"""What searches on a table of trained plans find, judged by trainings that they did not see.

``python benchmarks/unseen.py --table results/reference/nyuv2-plans.csv`` lets ``random`` and
the default search for so many trials, baselines included, on what the lowest seed measured;
takes the best each has found, as ``mtlsearch export`` would; and asks for Δm of that plan with
the table's other seeds, each against ``independent`` with the same seed. Beside them stand
``hard``, and the plan that is best with the lowest seed, which is what trying all would find.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from replay import make, read_worth, trials

from mtlsearch.plan import SharingPlan
from mtlsearch.search import plan_code
from mtlsearch.search.evaluators._plan_table import read_table

HEADINGS = ("", "searches", "plans", "seen", "unseen", "better", "FLOPs", "not known")


def again(table: pd.DataFrame) -> dict[str, list[float]]:
    """By plan, Δm at the end of the training with every seed but the lowest."""
    rows = table[table["epoch"] == table["epoch"].max()]
    others = rows[rows["seed"] > rows["seed"].min()]
    return {str(code): of["delta_m"].tolist() for code, of in others.groupby("plan")}


def row(
    name: str,
    found: Iterable[SharingPlan],
    seen: Mapping[SharingPlan, float],
    unseen: Mapping[str, list[float]],
    share: Mapping[str, float],
) -> dict[str, object]:
    """What the plans found are worth; those without a further seed are counted alone."""
    times = Counter(found)
    known = {plan: count for plan, count in times.items() if plan_code(plan) in unseen}
    each = [np.mean(unseen[plan_code(plan)]) for plan in known]
    weights = list(known.values())
    worth = float(np.average(each, weights=weights)) if known else float("nan")
    better = [np.mean(np.array(unseen[plan_code(plan)]) > 0) for plan in known]
    return {
        "": name,
        "searches": sum(times.values()),
        "plans": len(times),
        "seen": np.average([seen[plan] for plan in times], weights=list(times.values())),
        "unseen": worth,
        "better": float(np.average(better, weights=weights)) if known else float("nan"),
        "FLOPs": np.average([share[plan_code(at)] for at in times], weights=list(times.values())),
        "not known": 1 - sum(weights) / sum(times.values()),
    }


def main() -> None:
    """Search, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--setting", help="which of the table's settings")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    options = parser.parse_args()
    worth = read_worth(options.table, options.setting)
    table = read_table(options.table, options.setting)
    unseen = again(table)
    alone = next(at for at in worth.plans if str(at) == "independent")
    flops = table.groupby("plan")["flops"].first()
    share = {str(code): float(of) / float(flops[plan_code(alone)]) for code, of in flops.items()}
    seen = {
        plan: float(changes.mean())
        for plan, changes in zip(worth.plans, worth.measured, strict=True)
    }
    hard = next(at for at in worth.plans if str(at) == "hard")
    rows = [
        row("hard", [hard], seen, unseen, share),
        row("all plans", [max(seen, key=seen.__getitem__)], seen, unseen, share),
    ]
    for name in ("random", "auto"):
        space, sampler = make(name, worth, partial=True)
        found = []
        for seed in range(options.searches):
            plans = [
                plan for plan, _ in islice(trials(space, sampler, worth, seed), options.trials)
            ]
            found.append(max(plans, key=seen.__getitem__))
        rows.append(row(name, found, seen, unseen, share))
    frame = pd.DataFrame(rows, columns=list(HEADINGS))
    print(frame.to_string(index=False, float_format="%.2f"))
    if options.out is not None:
        frame.to_csv(options.out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
