"""What stopping trials early saves: whole searches replayed on curves that are known.

``python benchmarks/halving.py --table FILE.csv`` replays on a table of trained plans with
their epochs (``docs/python-api.md`` describes the columns; it may be partial: only
its plans are proposed). Without a table it replays on synthetic landscapes (``landscape.py``,
51 plans of 3 tasks, 561 of 4), every seed another one, whose curves are made up: after epoch e
of E a task's change is its last one plus noise of ``--early`` percent times sqrt(E / e - 1).

The search is the real one, with its store, its promotions and what its sampler learns of stopped
trials. Seconds are those of training, as the table has them, both baselines included, which are
trained in full. A search is there when a plan was trained *in full* that is within 1 % of the
best: whose Δm is less by at most 1 % of the range, over all plans but the baselines. Where a
table has several seeds, plans are judged by their mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from landscape import NOISE, planted
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from replay import FIRST_SHARED, UNITS, WITHIN, read_worth

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
    """Curves, and what is looked for.

    Attributes:
        evaluator: looks plans up.
        only: the plans that may be proposed; None for all.
        good: those that are to be found.
    """

    evaluator: Evaluator
    only: frozenset[SharingPlan] | None
    good: frozenset[SharingPlan]


def good_of(worth: Mapping[SharingPlan, float]) -> frozenset[SharingPlan]:
    """The plans within 1 % of the best, baselines left out."""
    free = {plan: value for plan, value in worth.items() if str(plan) not in BASELINES}
    best, worst = max(free.values()), min(free.values())
    return frozenset(
        plan for plan, value in free.items() if value >= best - WITHIN * (best - worst)
    )


def from_table(path: Path, setting: str | None) -> Callable[[int], Problem]:
    """The table, whatever the seed."""
    table, worth = TableEvaluator.read(path, setting=setting), read_worth(path, setting)
    good = good_of(dict(zip(worth.plans, worth.true.tolist(), strict=True)))
    problem = Problem(table, table.plans, good)
    return lambda seed: problem


def from_landscape(count: int, early: float) -> Callable[[int], Problem]:
    """Another landscape each seed."""
    tasks = "abcde"[:count]
    plans = list(tree_plans(tasks, UNITS, first_shared=FIRST_SHARED))

    def make(seed: int) -> Problem:
        known = planted(plans, seed)
        chance = np.random.default_rng([seed, 1])
        noise = early * chance.standard_normal((EPOCHS + 1, *known.measured.shape))
        noise[:, 0] = 0.0  # the independent plan is what others are measured against
        place = {plan: at for at, plan in enumerate(known.plans)}

        def curve(candidate: Candidate, epoch: int) -> dict[str, float]:
            at = place[candidate.plan]
            wobble = noise[epoch, at] * np.sqrt(EPOCHS / epoch - 1.0)
            changes = known.measured[at] + wobble
            return dict(zip(tasks, (100.0 + changes).tolist(), strict=True))

        evaluator = FunctionEvaluator.from_curve(curve, tasks, UNITS, epochs=EPOCHS, seconds=1.0)
        good = good_of(dict(zip(known.plans, known.true.tolist(), strict=True)))
        return Problem(evaluator, None, good)

    return make


class FoundError(Exception):
    """A good plan was trained in full."""


def seconds_until_found(problem: Problem, config: SearchConfig, seed: int) -> float:
    """Seconds of training until then; infinite where the plans were spent before."""
    spent = float("inf")

    def look(view: StudyView) -> None:
        nonlocal spent
        complete = [at for at in view.records if at.state == "complete" and at.baseline is None]
        if any(at.candidate.plan in problem.good for at in complete):
            spent = sum(record.seconds for record in view.records)
            raise FoundError

    space = build_candidate_space(
        TreeSpace(TreeSettings(first_shared=FIRST_SHARED)),
        problem.evaluator,
        config,
        allowed_plans=problem.only,
    )
    with suppress(FoundError):
        store = TrialStore.in_memory()
        search(space, problem.evaluator, store, trials=10**6, seed=seed, after_each=look)
    return spent


def ways(options: argparse.Namespace) -> Iterator[tuple[str, SearchConfig]]:
    """Ways to search, each sampler first without stopping anybody."""
    for sampler in options.samplers:
        yield f"{sampler}", SearchConfig.model_validate({"sampler": sampler})
        for rungs in options.rungs:
            for reduction_factor in options.reductions:
                halving = {"rungs": rungs, "reduction_factor": reduction_factor}
                name = f"{sampler} {rungs} 1/{reduction_factor}".replace(" ", "")
                yield (
                    name,
                    SearchConfig.model_validate({"sampler": sampler, "early_stopping": halving}),
                )


def rungs(text: str) -> list[int] | str:
    """``2,4`` or ``auto``."""
    return text if text == "auto" else [int(at) for at in text.split(",")]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, help="a table of trained plans, with epochs")
    parser.add_argument("--setting", help="which of the table's settings")
    parser.add_argument("--tasks", type=int, default=3, help="of synthetic landscapes, to 5")
    parser.add_argument("--samplers", nargs="+", default=["random", "auto"])
    parser.add_argument("--rungs", nargs="+", type=rungs, default=[[2], [2, 4]])
    parser.add_argument("--reductions", nargs="+", type=int, default=[3])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument(
        "--early", type=float, default=2 * NOISE, help="made-up early noise of a change, percent"
    )
    return parser.parse_args()


def main() -> None:
    """Replay and print."""
    options = parse()
    make = (
        from_landscape(options.tasks, options.early)
        if options.table is None
        else from_table(options.table, options.setting)
    )
    print(f"{'way':26}{'seeds':>6}{'median s':>10}{'mean s':>9}{'missed':>8}{'of median':>11}")
    whole = 1.0
    for name, config in ways(options):
        spent = [seconds_until_found(make(seed), config, seed) for seed in range(options.seeds)]
        found = [at for at in spent if np.isfinite(at)]
        mean = np.mean(found) if found else float("inf")
        median = float(np.quantile(spent, 0.5, method="inverted_cdf"))
        whole = median if config.early_stopping is None else whole
        print(
            f"{name:26}{len(spent):6}{median:10.1f}{mean:9.1f}"
            f"{1 - len(found) / len(spent):8.0%}{median / whole:11.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
