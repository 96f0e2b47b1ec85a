"""Searches judged by the true value of the plan that they name.

``python benchmarks/replay.py --named`` runs this comparison. A search sees noisy measurements and
names one plan at 8, 12, 24 and 48 trainings, baselines included. Its regret is the true value of
the best plan minus that of the named one, in points of Δm (percent).

* **Landscapes** (``landscape.py``) of 3, 4 and 5 tasks over 6 units. The true value is the Δm of
  the landscape without noise. Every training has noise of its own: 0.5, 2 or 4 percent per task.
  So has ``independent``, to which all measured changes refer. All landscapes count, also those
  in which a baseline is the best plan.
* **Tables** (``--table FILE.csv``): only plans with several seeds. The search sees one seed, and
  the true value is the mean over the other seeds, without what all plans of a seed have in
  common. Each seed is the seen one in turn. There are no second seeds.

Methods:
* ``random``: random plans; names the highest measurement.
* ``former``: the default sampler before second seeds (``former.py``); names the highest
  measurement.
* ``plans``: the default sampler with new plans only; names the highest posterior mean.
* ``auto``: the default: new plans and second seeds; names the highest posterior mean.
* ``settled``: as ``auto``, stopped when it is settled; comes with ``auto``.

``--searches FILE.csv`` keeps one row per search. It is read again, so that the comparison
resumes, and several processes can add to it.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from former import FormerSampler
from landscape import Array, Landscape, make_landscape
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.files import FileLock, atomic_write
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.results import Baseline, delta_m_by_task
from mtlsearch.search import CandidateSpace, FunctionEvaluator, Proposal, build_candidate_space
from mtlsearch.search.evaluators._plan_table import read_table, trained_plans
from mtlsearch.search.samplers import Observation, Sampler
from mtlsearch.search.samplers._random import RandomSampler
from mtlsearch.search.samplers._sharing_gp import SharingGPSampler, features_of
from mtlsearch.search.space import propose_baseline

TASK_NAMES, NUM_UNITS = "abcdefgh", 6
CHECKPOINTS = (8, 12, 24, 48)
METHODS = ("random", "former", "plans", "auto")
ORDER = (*METHODS, "settled")
MAX_SEEDS = 5


@dataclass(frozen=True)
class Problem:
    """Plans with noisy and true values.

    Attributes:
        name: name in the table of results.
        space: the candidate space.
        plans: plans that can be named, ``independent`` first.
        true: ``[N]`` true Δm in percent.
        changes: ``[R, N, T]`` measured changes by seed, plan and task, in percent.
    """

    name: str
    space: CandidateSpace
    plans: tuple[SharingPlan, ...]
    true: Array
    changes: Array


class Trainings:
    """One search: its observations and the number of its trainings."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._index = {plan: index for index, plan in enumerate(problem.plans)}
        self.observations: list[Observation] = []
        self.count = 0

    def train(self, proposal: Proposal) -> None:
        """Add the first training of a plan."""
        self.count += 1
        candidate = proposal.candidate
        changes = self._changes(candidate.plan, 0)
        self.observations.append(
            Observation(proposal, candidate.digest, changes, number=len(self.observations))
        )

    def repeat(self, observation: Observation) -> None:
        """Add a second seed of a plan."""
        self.count += 1
        index = self.observations.index(observation)
        number = observation.num_second_seeds + 1
        changes = self._changes(observation.proposal.candidate.plan, number)
        self.observations[index] = Observation(
            observation.proposal,
            observation.digest,
            observation.changes,
            number=observation.number,
            second_seeds=(*observation.second_seeds, changes),
            num_second_seeds=number,
        )

    def named_by_measurement(self) -> float:
        """Return the true value of the plan with the highest measured Δm."""
        values = [observation.value or 0.0 for observation in self.observations]
        return self._true(self.observations[int(np.argmax(values))])

    def named_by_posterior(self, sampler: SharingGPSampler) -> float:
        """Return the true value of the plan with the highest posterior mean."""
        posterior = sampler.model.posterior(self.observations)
        means = posterior.mean(features_of(self.observations))
        return self._true(self.observations[int(means.argmax())])

    def _true(self, observation: Observation) -> float:
        return float(self._problem.true[self._index[observation.proposal.candidate.plan]])

    def _changes(self, plan: SharingPlan, seed: int) -> dict[str, float]:
        row = self._problem.changes[seed, self._index[plan]]
        return dict(zip(plan.tasks, map(float, row), strict=True))


def make_space(tasks: Sequence[str], plans: frozenset[SharingPlan] | None) -> CandidateSpace:
    """Build the space of trees that share the first unit."""
    return build_candidate_space(
        TreeSpace(TreeSettings(first_shared=1)),
        FunctionEvaluator(lambda _: {}, tasks, NUM_UNITS),
        allowed_plans=plans,
    )


@lru_cache(maxsize=8)
def true_landscape(tasks: tuple[str, ...], seed: int) -> Landscape:
    """Create a landscape without noise, which several searches use."""
    return make_landscape(list(tree_plans(tasks, NUM_UNITS, first_shared=1)), seed, noise=0.0)


def landscape_problem(space: CandidateSpace, seed: int, noise: float) -> Problem:
    """Create a landscape with noise of its own for every training."""
    tasks = space.tasks
    landscape = true_landscape(tasks, seed)
    rng = np.random.default_rng([seed, 7])
    true_changes = landscape.measured
    errors = noise * rng.standard_normal((MAX_SEEDS, *true_changes.shape))
    changes = true_changes + errors - errors[0, 0]
    return Problem(f"T={len(tasks)}", space, landscape.plans, landscape.true, changes)


def table_problems(path: Path, setting: str | None) -> Iterator[Problem]:
    """Yield one problem per seed of a table, of the plans that have several seeds."""
    table = read_table(path, setting)
    by_seed = [trained_plans(table, int(seed)) for seed in sorted(table["seed"].unique())]
    plans = tuple(plan for plan in by_seed[0] if all(plan in trained for trained in by_seed))
    independent = SharingPlan.independent(plans[0].tasks, NUM_UNITS)
    plans = (independent, *(plan for plan in plans if plan != independent))
    changes = np.array(
        [
            [
                list(
                    (
                        delta_m_by_task(trained[plan].results, trained[independent].results) or {}
                    ).values()
                )
                for plan in plans
            ]
            for trained in by_seed
        ]
    )
    space = make_space(plans[0].tasks, frozenset(plans))
    values = changes.mean(axis=2)  # [S, N]
    centered = values - values.mean(axis=1, keepdims=True)
    name = path.stem + (f" {setting}" if setting else "")
    for seed in range(len(by_seed)):
        others = np.delete(centered, seed, axis=0).mean(axis=0)
        yield Problem(name, space, plans, others, changes[seed : seed + 1])


def search(problem: Problem, method: str, seed: int) -> dict[str, dict[int, float]]:
    """Return the regret of the named plan by method and number of trainings.

    The key 0 has the last number of trainings. A search with ``auto`` also is one with ``settled``,
    up to where that ends.
    """
    space, run = problem.space, Trainings(problem)
    sampler: Sampler
    gp = SharingGPSampler.for_space(space)
    if gp is None:
        raise SystemExit("the default sampler does not support this space")
    if method == "random":
        sampler = RandomSampler(space)
    elif method == "former":
        sampler = FormerSampler(space, space.enumerate() or ())
    else:
        sampler = gp
    max_seeds = len(problem.changes) if method == "auto" else 1

    def regret() -> float:
        is_measured = method in ("random", "former")
        named = run.named_by_measurement() if is_measured else run.named_by_posterior(gp)
        return float(problem.true.max() - named)

    regrets: dict[int, float] = {}
    settled: dict[int, float] | None = None
    baselines: tuple[Baseline, ...] = ("independent", "hard")
    for baseline in baselines:
        proposal = propose_baseline(space, baseline)
        if proposal.candidate.plan in problem.plans:  # a table may have one seed of it only
            run.train(proposal)
    while run.count < CHECKPOINTS[-1]:
        next_proposal = sampler.propose(run.observations, seed=seed)
        repeated = (
            gp.second_seed(run.observations, next_proposal, max_seeds) if max_seeds > 1 else None
        )
        if repeated is not None:
            run.repeat(repeated)
        elif next_proposal is not None:
            run.train(next_proposal)
        else:
            break
        if run.count in CHECKPOINTS:
            regrets[run.count] = regret()
        if method == "auto" and settled is None and gp.is_settled(run.observations):
            settled = _fill(regrets, run.count, regret())
    results = {method: _fill(regrets, run.count, regret())}
    if method == "auto":
        results["settled"] = results[method] if settled is None else settled
    return results


def _fill(regrets: Mapping[int, float], count: int, last: float) -> dict[int, float]:
    """Return the regrets at all checkpoints of a search that ends after some trainings."""
    return {0: count} | {number: regrets.get(number, last) for number in CHECKPOINTS}


@dataclass(frozen=True)
class Job:
    """One search to replay: its problem by name, so that a process can build it."""

    problem: str
    noise: float
    method: str
    seed: int
    table: Path | None = None
    setting: str | None = None


_spaces: dict[object, CandidateSpace] = {}
_tables: dict[object, list[Problem]] = {}


def replay(job: Job) -> list[dict[str, object]]:
    """Replay one search and return its row; of ``auto``, also that of ``settled``."""
    if job.table is not None:
        key = (job.table, job.setting)
        if key not in _tables:
            _tables[key] = list(table_problems(job.table, job.setting))
        problem = _tables[key][job.seed % len(_tables[key])]
    else:
        num_tasks = int(job.problem.removeprefix("T="))
        if num_tasks not in _spaces:
            _spaces[num_tasks] = make_space(TASK_NAMES[:num_tasks], None)
        problem = landscape_problem(_spaces[num_tasks], job.seed, job.noise)
    start = time.process_time()
    results = search(problem, job.method, job.seed)
    seconds = time.process_time() - start
    return [
        {
            "problem": problem.name,
            "noise": job.noise,
            "method": method,
            "seed": job.seed,
            "trainings": regrets[0],
        }
        | {f"regret_{count}": round(regrets[count], 6) for count in CHECKPOINTS}
        | {"seconds": round(seconds, 3)}
        for method, regrets in results.items()
    ]


def key_of(row: Mapping[str, object]) -> tuple[str, float, str, int]:
    """Return what identifies a search."""
    noise = float(str(row["noise"]))
    return str(row["problem"]), noise, str(row["method"]), int(str(row["seed"]))


def read_searches(path: Path | None) -> list[dict[str, object]]:
    """Read the finished searches."""
    if path is None or not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, row: Mapping[str, object]) -> None:
    """Add a row while no other process writes."""
    lock = FileLock(path.with_name(path.name + ".lock"), blocking=True)
    lock.acquire()
    try:
        is_new = not path.is_file()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)
    finally:
        lock.release()


def summarize(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return mean regret and standard error by problem, noise, method and trainings."""
    grouped: dict[tuple[str, float, str], list[Mapping[str, object]]] = defaultdict(list)
    for row in rows:
        grouped[key_of(row)[:3]].append(row)
    order = {method: index for index, method in enumerate(ORDER)}
    table: list[dict[str, object]] = []
    for (problem, noise, method), group in sorted(
        grouped.items(), key=lambda item: (item[0][0], item[0][1], order[item[0][2]])
    ):
        line: dict[str, object] = {
            "problem": problem, "noise": noise, "method": method, "searches": len(group),
            "trainings": round(float(np.mean([float(str(row["trainings"])) for row in group])), 1),
        }  # fmt: skip
        for count in CHECKPOINTS:
            values = np.array([float(str(row[f"regret_{count}"])) for row in group])
            line[f"regret_{count}"] = round(float(values.mean()), 4)
            line[f"error_{count}"] = round(float(values.std(ddof=1) / len(values) ** 0.5), 4)
        table.append(line)
    return table


def print_table(table: Sequence[Mapping[str, object]]) -> None:
    """Print the mean regrets."""
    print(f"{'problem':22}{'noise':>6} {'method':10}{'searches':>9}{'trainings':>10}", end="")
    print("".join(f"{f'at {count}':>17}" for count in CHECKPOINTS))
    for line in table:
        print(
            f"{line['problem']:22}{line['noise']:6} {line['method']:10}{line['searches']:9}"
            f"{line['trainings']:10}"
            + "".join(
                f"{line[f'regret_{count}']:9.3f} ± {line[f'error_{count}']:5.3f}"
                for count in CHECKPOINTS
            )
        )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, help="table of trained plans")
    parser.add_argument("--setting", help="value of the table's column `setting`")
    parser.add_argument("--tasks", type=int, nargs="+", choices=[3, 4, 5], default=[3, 4, 5])
    parser.add_argument("--noise", type=float, nargs="+", default=[0.5, 2.0, 4.0])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=200, help="number after the last seed")
    parser.add_argument("--first-seed", type=int, default=0, help="first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--searches", type=Path, help="CSV with one row per search, to resume")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay the missing searches and print the table."""
    options = parse(arguments)
    rows = read_searches(options.searches)
    done = {key_of(row) for row in rows}
    problems = (
        [(options.table.stem + (f" {options.setting}" if options.setting else ""), 0.0)]
        if options.table is not None
        else [(f"T={tasks}", noise) for tasks in options.tasks for noise in options.noise]
    )
    jobs = [
        Job(problem, noise, method, seed, options.table, options.setting)
        for seed in range(options.first_seed, options.seeds)
        for problem, noise in problems
        for method in options.methods
        if (problem, noise, method, seed) not in done
    ]
    with Pool(options.jobs) as pool:
        for new_rows in pool.imap_unordered(replay, jobs):
            rows.extend(new_rows)
            for row in new_rows if options.searches is not None else ():
                append(options.searches, row)
    table = summarize(rows)
    print_table(table)
    if options.out is not None:
        with atomic_write(options.out) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
