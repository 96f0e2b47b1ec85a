"""How often the best plan of a verdict changes after few trainings, on tables of trained plans.

``python benchmarks/early_verdict.py`` replays searches of 20 trainings on the tables in
``results/reference`` and compares the best plan after each training with that at the end.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.search import TableEvaluator, build_candidate_space, search, verdict_of
from mtlsearch.study import StudyView, TrialStore

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
TABLES = (
    ("scenes-plans.csv", "relatedness=0.33"),
    ("scenes-plans.csv", "relatedness=1"),
    ("nyuv2-plans.csv", None),
    ("leaves-plans.csv", None),
    ("nyuv2-resnet18-plans.csv", None),
)


def best_plans(file: Path, setting: str | None, trainings: int, seed: int) -> dict[int, str]:
    """Return the best plan of the verdict by number of trainings."""
    table = TableEvaluator.read(file, setting=setting)
    space = build_candidate_space(TreeSpace(TreeSettings()), table, allowed_plans=table.plans)
    best: dict[int, str] = {}

    def after_each(view: StudyView) -> None:
        verdict = verdict_of(view)
        if verdict is not None:
            number = sum(record.state == "complete" for record in view.records) + len(view.repeats)
            plans = {record.number: str(record.plan) for record in view.records}
            best[number] = plans[verdict.winner]

    search(space, table, TrialStore.in_memory(), trials=trainings, seed=seed, after_each=after_each)
    return best


def main() -> None:
    """Replay the searches and print how many of them change their best plan."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trainings", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=4, help="sampler seeds per table")
    options = parser.parse_args()
    num_searches: Counter[int] = Counter()
    num_changed: Counter[int] = Counter()
    for name, setting in TABLES:
        for seed in range(options.seeds):
            best = best_plans(REFERENCE / name, setting, options.trainings, seed)
            for number, plan in best.items():
                num_searches[number] += 1
                num_changed[number] += plan != best[max(best)]
    print("trainings  searches  with another best plan at the end")
    for number, count in sorted(num_searches.items()):
        print(f"{number:9}  {count:8}  {num_changed[number]}")


if __name__ == "__main__":
    main()
