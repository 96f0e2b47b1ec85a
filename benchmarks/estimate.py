"""Rank correlation of ``mtlsearch estimate`` with trained plans, replayed on tables.

``python benchmarks/estimate.py`` replays the estimate on the tables of plans in
``results/reference/``. Each draw restricts the space to a random 70 % of the plans, as limits do.
Both baselines are trained in full, and some plans to a third of the epochs, all from the table:

* ``design``: the plans that ``mtlsearch estimate`` chooses.
* ``random``: plans that are drawn at random.

The estimate then ranks all plans. Its rank correlation with the final changes of the same seed is
computed over the plans that were not trained, by task and for Δm. The ceiling is the largest
correlation with single trainings that any estimate can have: the square root of one minus the
variance between seeds relative to that between plans. Changes of a seed refer to the
``independent`` of that seed; what all its plans have in common is subtracted.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from numpy.typing import NDArray
from scipy.stats import spearmanr

from mtlsearch.files import atomic_write
from mtlsearch.plan import SharingPlan
from mtlsearch.results import delta_m_by_task
from mtlsearch.search import CandidateSpace, NullProgress, TableEvaluator, build_candidate_space
from mtlsearch.search.estimate import rank_plans, train_for_estimate
from mtlsearch.search.evaluators._plan_table import read_table, trained_plans
from mtlsearch.study import TrialStore

Array = NDArray[np.float64]

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"
TABLES: tuple[tuple[str, str, str | None, int], ...] = (
    ("scenes, relatedness 0.33", "scenes-plans.csv", "relatedness=0.33", 0),
    ("scenes, relatedness 1", "scenes-plans.csv", "relatedness=1", 0),
    ("rooms", "nyuv2-plans.csv", None, 0),
    ("rooms, resnet18", "nyuv2-resnet18-plans.csv", None, 0),
    ("leaves, seed 0", "leaves-plans.csv", None, 0),
    ("leaves, seed 1", "leaves-plans.csv", None, 1),
    ("leaves, seed 2", "leaves-plans.csv", None, 2),
)
"""Name, file, setting, and the seed whose trainings the estimate sees."""

COUNTS, CHOICES = (4, 6, 8), ("design", "random")
FRACTION = 0.7
"""Part of the plans that a draw contains."""

DELTA_M = "delta_m"


@dataclass(frozen=True)
class Table:
    """Trained plans.

    Attributes:
        name: name in the output.
        evaluator: looks up results.
        final: ``[N, T]`` changes at the end, of the seed that the estimate sees.
        plans: N plans.
        ceilings: ceiling by task and of Δm; NaN with one seed.
    """

    name: str
    evaluator: TableEvaluator
    final: Array
    plans: tuple[SharingPlan, ...]
    ceilings: tuple[float, ...]

    @classmethod
    def read(cls, name: str, file: str, setting: str | None, seed: int) -> Table:
        """Read a table and compute the ceilings."""
        rows = read_table(REFERENCE / file, setting)
        changes = {
            int(other): changes_by_plan(rows, int(other)) for other in sorted(rows["seed"].unique())
        }
        plans = tuple(changes[seed])
        final = np.array([changes[seed][plan] for plan in plans])
        ceilings = _ceilings(with_delta_m(final), plans, list(changes.values()))
        evaluator = TableEvaluator.read(REFERENCE / file, setting=setting, seed=seed)
        return cls(name, evaluator, final, plans, ceilings)

    def space(self, plans: Sequence[SharingPlan] | None = None) -> CandidateSpace:
        """Return the space of some plans, by default of all."""
        allowed = frozenset(self.plans if plans is None else plans)
        return build_candidate_space(
            TreeSpace(TreeSettings()), self.evaluator, allowed_plans=allowed
        )


def changes_by_plan(rows: object, seed: int) -> dict[SharingPlan, list[float]]:
    """Return the final change of each task of each plan, against ``independent`` of the seed."""
    trained = trained_plans(rows, seed)  # type: ignore[arg-type]
    first = next(iter(trained))
    reference = trained[SharingPlan.independent(first.tasks, len(first.rows))]
    changes = {}
    for plan, result in trained.items():
        by_task = delta_m_by_task(result.results, reference.results)
        assert by_task is not None
        changes[plan] = [by_task[task] for task in plan.tasks]
    return changes


def with_delta_m(changes: Array) -> Array:
    """Append Δm, the mean of all tasks."""
    return np.column_stack([changes, changes.mean(axis=1)])


def _ceilings(
    final: Array, plans: Sequence[SharingPlan], by_seed: Sequence[dict[SharingPlan, list[float]]]
) -> tuple[float, ...]:
    if len(by_seed) < 2:
        return (math.nan,) * final.shape[1]
    common = [plan for plan in plans if plan.shares and all(plan in changes for changes in by_seed)]
    values = np.array(
        [with_delta_m(np.array([changes[plan] for plan in common])) for changes in by_seed]
    )  # [S, N, T + 1]
    values = values - values.mean(axis=1, keepdims=True)
    degrees = (len(by_seed) - 1) * (len(common) - 1)
    noise = ((values - values.mean(axis=0)) ** 2).sum(axis=(0, 1)) / degrees
    spread = final[[plan.shares for plan in plans]].var(axis=0, ddof=1)
    return tuple(map(float, np.sqrt(np.maximum(0.0, 1.0 - noise / spread))))


def replay(table: Table, choice: str, count: int, draw: int) -> list[float]:
    """Return the rank correlation by task and of Δm over plans that were not trained."""
    rng = np.random.default_rng(draw)
    searched = [plan for plan in table.plans if str(plan) not in ("independent", "hard")]
    shuffled = [searched[index] for index in rng.permutation(len(searched))]
    size = count if choice == "random" else round(FRACTION * len(searched))
    store = TrialStore.in_memory()
    rung = train_for_estimate(
        table.space(shuffled[:size]),
        table.evaluator,
        store,
        plans=count,
        progress=NullProgress(),
    )
    view = store.view()
    estimate = rank_plans(
        table.space(),
        view,
        cost=table.evaluator.cost,
        epochs=rung,
        full_epochs=table.evaluator.epochs,
    )
    item_by_plan = {item.plan: item for item in estimate.plans}
    rest = [plan for plan in searched if not item_by_plan[plan].is_trained]
    tasks = table.plans[0].tasks
    expected = np.array([[item_by_plan[p].mean_by_task[t] for t in tasks] for p in rest])
    index_by_plan = {plan: index for index, plan in enumerate(table.plans)}
    measured = table.final[[index_by_plan[plan] for plan in rest]]
    columns = zip(with_delta_m(expected).T, with_delta_m(measured).T, strict=True)
    return [0.0 if np.ptp(x) == 0 else float(spearmanr(x, y)[0]) for x, y in columns]


def rows_of(job: tuple[int, str, int, int]) -> list[dict[str, object]]:
    """Return one row per task of a table, of several draws."""
    number, choice, count, draws = job
    table = Table.read(*TABLES[number])
    correlations = np.array([replay(table, choice, count, draw) for draw in range(draws)])
    errors = correlations.std(axis=0, ddof=1) / math.sqrt(draws)
    names = (*table.plans[0].tasks, DELTA_M)
    return [
        {
            "table": table.name,
            "task": name,
            "choice": choice,
            "plans": count,
            "draws": draws,
            "correlation": round(float(correlations[:, index].mean()), 3),
            "standard_error": round(float(errors[index]), 3),
            "ceiling": "" if math.isnan(ceiling) else round(ceiling, 3),
        }
        for index, (name, ceiling) in enumerate(zip(names, table.ceilings, strict=True))
    ]


def replay_all(draws: int, processes: int) -> Iterator[dict[str, object]]:
    """Yield the rows of all tables, choices and numbers of plans."""
    jobs = [
        (number, *rest, draws) for number, *rest in product(range(len(TABLES)), CHOICES, COUNTS)
    ]
    with ProcessPoolExecutor(processes) as pool:
        for rows in pool.map(rows_of, jobs):
            yield from rows


def show(rows: Sequence[dict[str, object]]) -> None:
    """Print one Markdown row per table and task."""
    columns = list(product(CHOICES, COUNTS))
    header = ["table", "task", *(f"{choice} {count}" for choice, count in columns), "ceiling"]
    print("| " + " | ".join(header) + " |")
    print("| --- | --- |" + " --: |" * (len(columns) + 1))
    for table, task in dict.fromkeys((row["table"], row["task"]) for row in rows):
        cells = {
            (row["choice"], row["plans"]): row
            for row in rows
            if (row["table"], row["task"]) == (table, task)
        }
        values = [
            f"{cells[key]['correlation']:.2f} ± {cells[key]['standard_error']:.2f}"
            for key in columns
        ]
        ceiling = next(iter(cells.values()))["ceiling"]
        shown = "?" if ceiling == "" else f"{ceiling:.2f}"
        print("| " + " | ".join([str(table), str(task), *values, shown]) + " |")
    print(f"mean over draws: {fmean(float(str(row['correlation'])) for row in rows):.2f}")


def main() -> None:
    """Replay the estimate and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100, metavar="N")
    parser.add_argument("--processes", type=int, default=1, metavar="N")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the rows to a CSV file")
    options = parser.parse_args()
    rows = list(replay_all(options.draws, options.processes))
    show(rows)
    if options.csv is not None:
        with atomic_write(options.csv) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
