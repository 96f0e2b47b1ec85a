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

``--table PLANS.csv`` replays one table, with each seed that has both baselines and eight other
plans. ``--short SHORT.csv`` replays short trainings with a learning-rate schedule of their own. Its
table has the same plans and seeds, trained by ``benchmarks/table.py`` with a third of ``--epochs``.
``--same-plans-as SHORT.csv`` replays ordinary short trainings of these plans, for comparison.
First, the rank correlation of early with final changes of all plans is printed, by seed.
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
from mtlsearch.search.estimate import (
    ShortStudy,
    early_epoch,
    rank_plans,
    train_for_estimate,
    train_with_own_schedule,
)
from mtlsearch.search.evaluators._plan_table import read_table, trained_plans
from mtlsearch.study import StudyView, TrialStore

Array = NDArray[np.float64]

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"


@dataclass(frozen=True)
class TableKey:
    """Which trainings a replay takes.

    Attributes:
        name: name in the output.
        file: table of trained plans.
        setting: value of its column ``setting``; None if it has one.
        seed: seed whose trainings the estimate sees.
        short: table of short trainings; None for the early epochs of ``file``.
        among: table whose plans are the only ones; None for all of ``file``.
    """

    name: str
    file: Path
    setting: str | None = None
    seed: int = 0
    short: Path | None = None
    among: Path | None = None


TABLES: Sequence[TableKey] = (
    TableKey("scenes, relatedness 0.33", REFERENCE / "scenes-plans.csv", "relatedness=0.33"),
    TableKey("scenes, relatedness 1", REFERENCE / "scenes-plans.csv", "relatedness=1"),
    TableKey("rooms", REFERENCE / "nyuv2-plans.csv"),
    TableKey("rooms, resnet18", REFERENCE / "nyuv2-resnet18-plans.csv"),
    *(
        TableKey(f"leaves, seed {seed}", REFERENCE / "leaves-plans.csv", seed=seed)
        for seed in (0, 1, 2)
    ),
)

COUNTS, CHOICES = (4, 6, 8), ("design", "random")
FRACTION = 0.7
"""Part of the plans that a draw contains."""

MIN_PLANS = 10
"""Plans, with baselines, that a seed must have."""

DELTA_M = "delta_m"


@dataclass(frozen=True)
class Table:
    """Trained plans.

    Attributes:
        name: name in the output.
        evaluator: looks up results.
        short: looks up results of short trainings; None for the early epochs of ``evaluator``.
        early: ``[N, T]`` changes of the short trainings.
        final: ``[N, T]`` changes at the end, of the seed that the estimate sees.
        plans: N plans.
        ceilings: ceiling by task and of Δm; NaN with one seed.
    """

    name: str
    evaluator: TableEvaluator
    short: TableEvaluator | None
    early: Array
    final: Array
    plans: tuple[SharingPlan, ...]
    ceilings: tuple[float, ...]

    @classmethod
    def read(cls, key: TableKey) -> Table:
        """Read a table and compute the ceilings."""
        rows = read_table(key.file, key.setting)
        changes = {
            int(other): changes_by_plan(rows, int(other)) for other in sorted(rows["seed"].unique())
        }
        trained = trained_plans(rows, key.seed)
        if key.among is not None:
            among = trained_plans(read_table(key.among), key.seed)
            trained = {plan: result for plan, result in trained.items() if plan in among}
        short, evaluator = None, TableEvaluator(trained, str(key.file))
        if key.short is None:
            early = rows[rows["epoch"] <= early_epoch(evaluator.epochs)]
        else:
            early = read_table(key.short)
            short = TableEvaluator(trained_plans(early, key.seed), str(key.short))
        plans = tuple(trained)
        final = np.array([changes[key.seed][plan] for plan in plans])
        early_changes = changes_by_plan(early, key.seed)
        return cls(
            key.name,
            evaluator,
            short,
            np.array([early_changes[plan] for plan in plans]),
            final,
            plans,
            _ceilings(with_delta_m(final), plans, list(changes.values())),
        )

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
    # further seeds of the baselines only do not measure how seeds rank plans
    by_seed = [changes for changes in by_seed if sum(plan.shares for plan in changes) > 2]
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
    rung, view = trained_for(table, table.space(shuffled[:size]), count)
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


def trained_for(table: Table, space: CandidateSpace, count: int) -> tuple[int, StudyView]:
    """Train what an estimate requires; return the early epoch and the study."""
    store, progress = TrialStore.in_memory(), NullProgress()
    if table.short is None:
        rung = train_for_estimate(space, table.evaluator, store, plans=count, progress=progress)
        return rung, store.view()
    short = ShortStudy(table.short, TrialStore.in_memory())

    def short_at(epochs: int) -> ShortStudy:
        if epochs != short.evaluator.epochs:
            raise SystemExit(f"the short table must have {epochs} epochs")
        return short

    return train_with_own_schedule(
        space, table.evaluator, store, short_at, plans=count, progress=progress
    )


def rows_of(job: tuple[TableKey, str, int, int]) -> list[dict[str, object]]:
    """Return one row per task of a table, of several draws."""
    key, choice, count, draws = job
    table = Table.read(key)
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


def replay_all(keys: Sequence[TableKey], draws: int, processes: int) -> Iterator[dict[str, object]]:
    """Yield the rows of all tables, choices and numbers of plans."""
    jobs = [(*rest, draws) for rest in product(keys, CHOICES, COUNTS)]
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


def keys_of(
    file: Path, setting: str | None, short: Path | None, among: Path | None
) -> list[TableKey]:
    """Return a key per seed of a table that has enough plans, in both tables."""
    counts = read_table(file, setting).groupby("seed")["plan"].nunique()
    if among is not None:
        of_other = read_table(among).groupby("seed")["plan"].nunique()
        counts = of_other.reindex(counts.index, fill_value=0).clip(upper=counts)
    seeds = [int(seed) for seed, count in counts.items() if count >= MIN_PLANS]
    if not seeds:
        raise SystemExit(f"no seed has {MIN_PLANS} plans")
    name = file.stem if short is None else short.stem
    return [TableKey(f"{name}, seed {seed}", file, setting, seed, short, among) for seed in seeds]


def show_early(keys: Sequence[TableKey]) -> None:
    """Print the rank correlation of early with final changes of the plans that share."""
    print(
        "rank correlation of early with final changes, and mean size of early changes in percent:"
    )
    for key in keys:
        table = Table.read(key)
        sharing = [plan.shares for plan in table.plans]
        early, final = with_delta_m(table.early[sharing]), with_delta_m(table.final[sharing])
        cells = [
            f"{name} {spearmanr(x, y)[0]:.2f} ({abs(x).mean():.1f})"
            for name, x, y in zip((*table.plans[0].tasks, DELTA_M), early.T, final.T, strict=True)
        ]
        print(f"- {key.name}, {sum(sharing)} plans: {', '.join(cells)}")


def main() -> None:
    """Replay the estimate and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, metavar="FILE", help="replay one table of plans")
    parser.add_argument("--setting", help="value of its column `setting`")
    parser.add_argument("--short", type=Path, metavar="FILE", help="its short trainings")
    parser.add_argument("--same-plans-as", type=Path, metavar="FILE", help="only the plans of FILE")
    parser.add_argument("--draws", type=int, default=100, metavar="N")
    parser.add_argument("--processes", type=int, default=1, metavar="N")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the rows to a CSV file")
    options = parser.parse_args()
    among, keys = options.short or options.same_plans_as, TABLES
    if options.table is not None:
        keys = keys_of(options.table, options.setting, options.short, among)
    elif among is not None:
        parser.error("--short and --same-plans-as need --table")
    show_early(keys)
    rows = list(replay_all(keys, options.draws, options.processes))
    show(rows)
    if options.csv is not None:
        with atomic_write(options.csv) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
