"""Training time that early stopping saves: searches replayed on known learning curves.

``python benchmarks/early_stopping.py --table FILE.csv`` uses a table of trained plans with
their epochs. ``docs/python-api.md`` describes the columns. If the table is partial, only its
plans are proposed. Without a table, synthetic landscapes are used (``landscape.py``, 51 plans
of 3 tasks, 561 of 4), a different one per seed. Their learning curves are artificial: after
epoch e of E, the change of a task is the final one plus noise of ``--early-noise`` percent
times sqrt(E / e - 1).

The search is the real one, with trial store, promotions and extrapolated learning curves.
Seconds are training time according to the table, baselines included, which are trained for all
epochs. A search succeeds when a good plan is complete: a plan whose Δm is less than the best
by at most 1 % of the range over all plans except for the baselines. If a table has several
seeds, the mean over seeds decides.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from landscape import NOISE, make_landscape
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from replay import FIRST_SHARED, NUM_UNITS, TASK_NAMES, TOLERANCE, read_values

from mtlsearch.config import SearchConfig
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.plugin import Candidate
from mtlsearch.search import (
    Evaluator,
    FunctionEvaluator,
    TableEvaluator,
    build_candidate_space,
    search,
)
from mtlsearch.study import StudyView, TrialStore

EPOCHS = 8
BASELINES = ("independent", "hard")


@dataclass(frozen=True)
class Problem:
    """Learning curves of plans, and the plans to find.

    Attributes:
        evaluator: looks up the results of a plan.
        allowed_plans: the plans that can be proposed; None for all.
        good_plans: the plans that a search has to find.
    """

    evaluator: Evaluator
    allowed_plans: frozenset[SharingPlan] | None
    good_plans: frozenset[SharingPlan]


def select_good(value_by_plan: Mapping[SharingPlan, float]) -> frozenset[SharingPlan]:
    """Return the plans within 1 % of the best, without baselines."""
    searched = {plan: value for plan, value in value_by_plan.items() if str(plan) not in BASELINES}
    best, worst = max(searched.values()), min(searched.values())
    threshold = best - TOLERANCE * (best - worst)
    return frozenset(plan for plan, value in searched.items() if value >= threshold)


def table_problem(path: Path, setting: str | None) -> Callable[[int], Problem]:
    """Return a function that gives the problem of a table for every seed."""
    table, values = TableEvaluator.read(path, setting=setting), read_values(path, setting)
    good_plans = select_good(dict(zip(values.plans, values.true.tolist(), strict=True)))
    problem = Problem(table, table.plans, good_plans)
    return lambda seed: problem


def landscape_problem(num_tasks: int, early_noise: float) -> Callable[[int], Problem]:
    """Return a function that gives a different landscape per seed."""
    tasks = TASK_NAMES[:num_tasks]
    plans = list(tree_plans(tasks, NUM_UNITS, first_shared=FIRST_SHARED))

    def make(seed: int) -> Problem:
        landscape = make_landscape(plans, seed)
        rng = np.random.default_rng([seed, 1])
        noise = early_noise * rng.standard_normal((EPOCHS + 1, *landscape.measured.shape))
        noise[:, 0] = 0.0  # changes are relative to the independent plan
        index_by_plan = {plan: index for index, plan in enumerate(landscape.plans)}

        def curve(candidate: Candidate, epoch: int) -> dict[str, float]:
            index = index_by_plan[candidate.plan]
            error = noise[epoch, index] * np.sqrt(EPOCHS / epoch - 1.0)
            changes = landscape.measured[index] + error
            return dict(zip(tasks, (100.0 + changes).tolist(), strict=True))

        evaluator = FunctionEvaluator.from_curve(
            curve, tasks, NUM_UNITS, epochs=EPOCHS, seconds=1.0
        )
        value_by_plan = dict(zip(landscape.plans, landscape.true.tolist(), strict=True))
        return Problem(evaluator, None, select_good(value_by_plan))

    return make


class GoodPlanFoundError(Exception):
    """A good plan is complete, so the search ends."""


def seconds_until_good(problem: Problem, config: SearchConfig, seed: int) -> float:
    """Return the training time until a good plan is complete; infinite if none is."""
    seconds = float("inf")

    def stop_if_good(view: StudyView) -> None:
        nonlocal seconds
        complete = [
            record
            for record in view.records
            if record.state == "complete" and record.baseline is None
        ]
        if any(record.candidate.plan in problem.good_plans for record in complete):
            seconds = sum(record.seconds for record in view.records)
            raise GoodPlanFoundError

    space = build_candidate_space(
        TreeSpace(TreeSettings(first_shared=FIRST_SHARED)),
        problem.evaluator,
        config,
        allowed_plans=problem.allowed_plans,
    )
    with suppress(GoodPlanFoundError):
        store = TrialStore.in_memory()
        search(space, problem.evaluator, store, trials=10**6, seed=seed, after_each=stop_if_good)
    return seconds


def search_configs(options: argparse.Namespace) -> Iterator[tuple[str, SearchConfig]]:
    """Yield names and settings; of each sampler, the first has no early stopping."""
    for sampler in options.samplers:
        yield f"{sampler}", SearchConfig.model_validate({"sampler": sampler})
        for rungs in options.rungs:
            for reduction_factor in options.reduction_factors:
                early_stopping = {"rungs": rungs, "reduction_factor": reduction_factor}
                config = {"sampler": sampler, "early_stopping": early_stopping}
                name = f"{sampler} {rungs} 1/{reduction_factor}".replace(" ", "")
                yield name, SearchConfig.model_validate(config)


def parse_rungs(text: str) -> list[int] | str:
    """Parse rungs such as ``2,4``, or ``auto``."""
    return text if text == "auto" else [int(rung) for rung in text.split(",")]


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, help="table of trained plans, with epochs")
    parser.add_argument("--setting", help="value of the table's column `setting`")
    parser.add_argument(
        "--tasks", type=int, default=3, help="number of tasks of landscapes, at most 5"
    )
    parser.add_argument("--samplers", nargs="+", default=["random", "auto"])
    parser.add_argument(
        "--rungs", nargs="+", type=parse_rungs, default=[[2], [2, 4]], help="such as `2,4`"
    )
    parser.add_argument("--reduction-factors", nargs="+", type=int, default=[3])
    parser.add_argument("--seeds", type=int, default=20, help="searches per setting")
    parser.add_argument(
        "--early-noise",
        type=float,
        default=2 * NOISE,
        help="noise of early epochs on landscapes, in percent",
    )
    return parser.parse_args()


def main() -> None:
    """Replay and print."""
    options = parse()
    make = (
        landscape_problem(options.tasks, options.early_noise)
        if options.table is None
        else table_problem(options.table, options.setting)
    )
    print(f"{'search':26}{'seeds':>6}{'median s':>10}{'mean s':>9}{'missed':>8}{'/ full':>11}")
    full_median = 1.0
    for name, config in search_configs(options):
        seconds = [seconds_until_good(make(seed), config, seed) for seed in range(options.seeds)]
        finite = [value for value in seconds if np.isfinite(value)]
        mean = np.mean(finite) if finite else float("inf")
        median = float(np.quantile(seconds, 0.5, method="inverted_cdf"))
        full_median = median if config.early_stopping is None else full_median
        print(
            f"{name:26}{len(seconds):6}{median:10.1f}{mean:9.1f}"
            f"{1 - len(finite) / len(seconds):8.0%}{median / full_median:11.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
