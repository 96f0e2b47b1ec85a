"""Comparison of samplers by replayed searches on plans with known values.

Problems:

* ``python benchmarks/replay.py`` uses synthetic landscapes (``landscape.py``) of 3, 4 and 5
  tasks over 6 units, the first one shared: 51, 561 and 7,556 plans. Each seed is a different
  landscape. A landscape in which a baseline is among the best plans is skipped.
* ``--table FILE.csv`` uses a table of trained plans. ``docs/python-api.md`` describes the
  columns. If the table is partial, only its plans are proposed. The seed changes only the
  random numbers of the sampler.

Every search starts with the baselines ``independent`` and ``hard``, which count as trials. A
proposal that was measured before does not count: the sampler gets the value again and proposes
again, up to 25 times (Gaussian processes: 4 times). Then it gets an unmeasured plan.

A search succeeds when it measures a good plan: the Δm is less than the best by at most 1 % of
the range of Δm over all plans. On landscapes, Δm without noise decides; the sampler sees it
with noise. On tables, the mean over seeds decides, each seed against its own ``independent``
and without what all plans of the seed have in common; the sampler sees the lowest seed.

Samplers:

* ``random``: uniform over unmeasured plans.
* ``plain-tpe``: TPE with one categorical parameter per unit and task, the number of its group.
  Tasks that separated stay separate, so that every proposal is a tree.
* ``tpe``, ``gp``, ``nsga2``: values of ``search.sampler``, on positions and split depths.
* ``auto``: the default.
* ``auto`` with a warm start, on landscapes: ``right`` from the cosines of the targets with
  noise, ``shuffled`` from the same numbers in random order, ``reversed`` from the reversed
  numbers. On a table, ``measured`` uses the result of ``mtlsearch affinity`` in
  ``--affinity DIR``.

``--named`` judges searches by the true value of the plan that they name instead: see
``named.py``, which has options of its own.

The output contains the number of seeds and trials per sampler. Reduce the number of seeds of
slow samplers with ``--seeds tpe=50 gp=5``.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import named
import numpy as np
import optuna
from landscape import NOISE, Array, make_landscape
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from optuna.samplers import TPESampler

from mtlsearch.affinity import Affinity, read_affinity
from mtlsearch.config import SAMPLER_NAMES, SearchConfig
from mtlsearch.files import atomic_write
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.plugin import Candidate, SearchSpace, Settings, Suggest, UnitSpec
from mtlsearch.results import delta_m, delta_m_by_task
from mtlsearch.search import (
    CandidateSpace,
    FunctionEvaluator,
    Proposal,
    build_candidate_space,
)
from mtlsearch.search.evaluators._plan_table import read_table, trained_plans
from mtlsearch.search.samplers import Observation, Sampler, make_sampler
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.search.samplers._warm_start import WarmStartSampler
from mtlsearch.search.space import propose_baseline

NUM_UNITS, FIRST_SHARED = 6, 1
TASK_NAMES = "abcdefgh"
TOLERANCE = 0.01
"""How much worse than the best a good plan can be, as a fraction of the range."""

WARM_STARTS = ("right", "shuffled", "reversed", "measured")
OPTUNA_SAMPLERS = tuple(name for name in SAMPLER_NAMES if name not in ("random", "auto"))
SAMPLERS = ("random", "plain-tpe", *OPTUNA_SAMPLERS, "auto", *WARM_STARTS)
SEEDS = dict.fromkeys(SAMPLERS, 40) | {"random": 200, "auto": 200, "gp": 5}
SEEDS |= dict.fromkeys(WARM_STARTS, 200)
SETTING_BY_SAMPLER = {"plain-tpe": "tpe", **dict.fromkeys(WARM_STARTS, "auto")}
"""Value of ``search.sampler`` for samplers with another name."""

WARM_START_NOISE = 0.1
"""Standard deviation of the noise of ``right``, per unit and pair, in units of a cosine."""

BUDGETS = {3: 51, 4: 150, 5: 200}
"""Maximum number of trials by number of tasks."""


@dataclass(frozen=True)
class PlanValues:
    """Values of N plans for T tasks and U units.

    Attributes:
        plans: all plans that can be measured, both baselines among them.
        measured: ``[N, T]``, change of each task as a trial measures it, in percent.
        true: ``[N]``, Δm by which plans are judged, in percent.
        agreement: ``[U, T, T]``, cosine of the targets of two tasks; None on a table.
        affinity: measured task affinity; None if there is none.
    """

    plans: tuple[SharingPlan, ...]
    measured: Array
    true: Array
    agreement: Array | None = None
    affinity: Affinity | None = None

    @property
    def good(self) -> frozenset[SharingPlan]:
        """The plans within 1 % of the best."""
        threshold = self.true.max() - TOLERANCE * np.ptp(self.true)
        return frozenset(
            plan for plan, value in zip(self.plans, self.true, strict=True) if value >= threshold
        )

    @property
    def has_good_baseline(self) -> bool:
        """Whether a baseline is good, so that a search has nothing to find."""
        return any(str(plan) in ("hard", "independent") for plan in self.good)


class GroupSpace(SearchSpace[Settings]):
    """Tree plans with one categorical parameter per unit and task."""

    name = "groups"
    summary = "one group number per unit and task"

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Group tasks that were in one group before and have the same number."""
        numbers = [str(index) for index in range(len(tasks))]
        path_by_task = dict.fromkeys(tasks, "")
        groups = []
        for unit in range(len(units)):
            if unit >= FIRST_SHARED:
                path_by_task = {
                    task: path_by_task[task]
                    + suggest.suggest_categorical(f"{unit}_{task}", numbers)
                    for task in tasks
                }
            groups.append(
                [
                    [task for task in tasks if path_by_task[task] == path]
                    for path in set(path_by_task.values())
                ]
            )
        return Candidate(SharingPlan.from_groups(groups))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Return the group numbers of the canonical form."""
        rows = candidate.plan.rows
        if any(max(row) for row in rows[:FIRST_SHARED]):
            return None
        return {
            f"{unit}_{task}": str(rows[unit][index])
            for unit in range(FIRST_SHARED, len(rows))
            for index, task in enumerate(tasks)
        }


def build_sampler(
    name: str, values: PlanValues, *, is_partial: bool
) -> tuple[CandidateSpace, Sampler]:
    """Build a sampler and its space; of partial values, only the given plans are proposed."""
    is_plain_tpe = name == "plain-tpe"
    space = build_candidate_space(
        GroupSpace(Settings())
        if is_plain_tpe
        else TreeSpace(TreeSettings(first_shared=FIRST_SHARED)),
        # The evaluator only describes tasks and units. Values are looked up by `run_trials`.
        FunctionEvaluator(lambda _: {}, values.plans[0].tasks, len(values.plans[0].rows)),
        SearchConfig.model_validate({"sampler": SETTING_BY_SAMPLER.get(name, name)}),
        allowed_plans=frozenset(values.plans) if is_partial else None,
    )
    if is_plain_tpe:
        return space, OptunaSampler(space, lambda seed: TPESampler(seed=seed))
    return space, make_sampler(space)


def add_warm_start(
    kind: str, space: CandidateSpace, sampler: Sampler, values: PlanValues, seed: int
) -> Sampler:
    """Return the sampler with a warm start; the sampler itself if ``kind`` is none."""
    if kind == "measured" and values.affinity is not None:
        return WarmStartSampler(space, values.affinity, sampler)
    if kind not in WARM_STARTS or values.agreement is None:
        return sampler
    affinity = synthetic_affinity(kind, values.plans[0].tasks, values.agreement, seed)
    return WarmStartSampler(space, affinity, sampler)


def synthetic_affinity(kind: str, tasks: tuple[str, ...], agreement: Array, seed: int) -> Affinity:
    """Create a task affinity from the cosines of the targets."""
    rng = np.random.default_rng([seed, WARM_STARTS.index(kind)])
    first, second = np.triu_indices(len(tasks), 1)
    cosines = agreement[:, first, second]
    cosines = cosines + WARM_START_NOISE * rng.standard_normal(cosines.shape)
    if kind == "shuffled":
        cosines = rng.permutation(cosines.ravel()).reshape(cosines.shape)
    elif kind == "reversed":
        cosines = cosines.max() + cosines.min() - cosines
    representations = np.ones_like(agreement)
    representations[:, first, second] = representations[:, second, first] = cosines
    zeros, zeros_by_unit = np.zeros((len(tasks), len(tasks))), np.zeros_like(agreement)
    return Affinity(
        tasks=tasks,
        units=tuple(str(unit) for unit in range(len(agreement))),
        gradients=zeros_by_unit,
        lookahead=zeros,
        lookahead_error=zeros,
        unit_lookahead=zeros_by_unit,
        representations=representations,
        steps=zeros.astype(np.int64),
        images=0,
        epochs=0,
    )


@dataclass(frozen=True)
class Run:
    """One replayed search.

    Attributes:
        num_trials: trials until a good plan was measured; infinite if the budget ended before.
        regret: difference to the best plan after each trial, as a fraction of the range.
        seconds_per_proposal: processor time per proposal.
    """

    num_trials: float
    regret: Array
    seconds_per_proposal: float


def run_trials(
    space: CandidateSpace, sampler: Sampler, values: PlanValues, seed: int
) -> Iterator[tuple[SharingPlan, float]]:
    """Yield the plans of one search, baselines first, and the processor time per proposal."""
    changes_by_plan = {
        plan: dict(zip(plan.tasks, map(float, row), strict=True))
        for plan, row in zip(values.plans, values.measured, strict=True)
    }
    observations = list[Observation]()
    while True:
        seconds = 0.0
        if len(observations) < 2:
            baseline = ("independent", "hard")[len(observations)]
            proposal: Proposal | None = propose_baseline(space, baseline)
        else:
            start = time.process_time()
            proposal = sampler.propose(observations, seed=seed)
            seconds = time.process_time() - start
        if proposal is None:
            return
        candidate = proposal.candidate
        observations.append(
            Observation(proposal, candidate.digest, changes_by_plan[candidate.plan])
        )
        yield candidate.plan, seconds


def replay(
    space: CandidateSpace, sampler: Sampler, values: PlanValues, seed: int, budget: int
) -> Run:
    """Replay one search until a good plan is measured or the budget is spent."""
    value_by_plan = dict(zip(values.plans, values.true.tolist(), strict=True))
    good_plans, measured = values.good, list[float]()
    total_seconds = 0.0
    for plan, seconds in islice(run_trials(space, sampler, values, seed), budget):
        total_seconds += seconds
        measured.append(value_by_plan[plan])
        if plan in good_plans:
            break
    gaps = (values.true.max() - np.maximum.accumulate(measured)) / np.ptp(values.true)
    # After success the regret stays below the tolerance, so the search need not continue.
    regret = np.full(budget, gaps[-1])
    regret[: len(gaps)] = gaps
    num_trials = float(len(gaps)) if gaps[-1] <= TOLERANCE else float("inf")
    return Run(num_trials, regret, total_seconds / max(1, len(measured) - 2))


def landscapes(num_tasks: int, noise: float) -> Iterator[tuple[int, PlanValues]]:
    """Yield seeds and their landscapes without end; skip those with a good baseline."""
    plans = list(tree_plans(TASK_NAMES[:num_tasks], NUM_UNITS, first_shared=FIRST_SHARED))
    for seed in range(10**6):
        landscape = make_landscape(plans, seed, noise=noise)
        values = PlanValues(
            landscape.plans, landscape.measured, landscape.true, landscape.agreement
        )
        if not values.has_good_baseline:
            yield seed, values


def read_values(path: Path, setting: str | None) -> PlanValues:
    """Read a table of trained plans."""
    table = read_table(path, setting)
    seeds = sorted(table["seed"].unique())
    trained_by_seed = [trained_plans(table, int(seed)) for seed in seeds]
    lowest_seed = trained_by_seed[0]
    plans = tuple(lowest_seed)
    independent = SharingPlan.independent(plans[0].tasks, len(plans[0].rows))
    measured, delta_ms = [], np.full((len(plans), len(seeds)), np.nan)
    for index, plan in enumerate(plans):
        changes = delta_m_by_task(lowest_seed[plan].results, lowest_seed[independent].results)
        if changes is None:
            raise SystemExit(f"Δm of {plan} is undefined")
        measured.append([changes[task] for task in plan.tasks])
        for column, trained in enumerate(trained_by_seed):
            if plan in trained and independent in trained:
                value, _ = delta_m(trained[plan].results, trained[independent].results)
                delta_ms[index, column] = np.nan if value is None else value
    return PlanValues(plans, np.array(measured), mean_without_seed_effect(delta_ms))


def mean_without_seed_effect(delta_ms: Array) -> Array:
    """Return the mean Δm of each plan ``[N]`` from Δm by plan and seed ``[N, S]``.

    NaN marks missing values. The Δm of all plans of a seed contains the noise of that seed's
    ``independent``. This common part is estimated from the plans that have all seeds and
    subtracted. Otherwise, a plan would gain or lose if it was trained with one more seed.
    """
    complete = delta_ms[~np.isnan(delta_ms).any(axis=1)]
    seed_effect = (complete - complete.mean(axis=1, keepdims=True)).mean(axis=0)
    return np.asarray(np.nanmean(delta_ms - seed_effect, axis=1))


@dataclass(frozen=True)
class Summary:
    """Results of one sampler on one problem.

    Attributes:
        problem: name of the problem.
        plans: number of plans.
        sampler: name of the sampler.
        seeds: number of searches.
        budget: maximum number of trials per search.
        median: median number of trials until a good plan was measured.
        quarter: 25 % quantile of it.
        three_quarters: 75 % quantile of it.
        not_found: fraction of the searches that did not measure a good plan.
        deciding_ms: processor time per proposal in milliseconds.
    """

    problem: str
    plans: int
    sampler: str
    seeds: int
    budget: int
    median: float
    quarter: float
    three_quarters: float
    not_found: float
    deciding_ms: float


def summarize(
    problem: str, num_plans: int, sampler: str, runs: Sequence[Run], budget: int
) -> Summary:
    """Compute quantiles over runs; a run without success counts as infinitely long."""
    trials = np.sort([run.num_trials for run in runs])
    quarter, median, three_quarters = (
        float(np.quantile(trials, level, method="inverted_cdf")) for level in (0.25, 0.5, 0.75)
    )
    return Summary(
        problem,
        num_plans,
        sampler,
        len(runs),
        budget,
        median,
        quarter,
        three_quarters,
        float(np.mean(np.isinf(trials))),
        1000 * float(np.mean([run.seconds_per_proposal for run in runs])),
    )


def replay_random(values: PlanValues, seed: int, budget: int) -> Run:
    """Replay ``random`` by one permutation, which is equivalent to sampling unmeasured plans."""
    index_by_name = {str(plan): index for index, plan in enumerate(values.plans)}
    baselines = [index_by_name[name] for name in ("independent", "hard") if name in index_by_name]
    rest = np.setdiff1d(np.arange(len(values.plans)), baselines)
    order = np.concatenate([baselines, np.random.default_rng(seed).permutation(rest)])
    gaps = (values.true.max() - np.maximum.accumulate(values.true[order])) / np.ptp(values.true)
    num_trials = float(np.argmax(gaps <= TOLERANCE) + 1)
    regret = np.full(budget, gaps[min(budget, len(gaps)) - 1])
    regret[: len(gaps)] = gaps[:budget]
    return Run(num_trials, regret, 0.0)


@dataclass(frozen=True)
class Problem:
    """Plans on which samplers are compared.

    Attributes:
        name: name in the table.
        num_plans: number of plans.
        budget: maximum number of trials per search.
        values_by_seed: yields seeds and the values of the plans, without end.
    """

    name: str
    num_plans: int
    budget: int
    values_by_seed: Iterator[tuple[int, PlanValues]]


def problems(options: argparse.Namespace) -> Iterator[Problem]:
    """Yield the problems that the options select."""
    if options.table is not None:
        values = read_values(options.table, options.setting)
        if options.affinity is not None:
            values = replace(values, affinity=read_affinity(options.affinity))
        name = options.table.stem + (f" {options.setting}" if options.setting else "")
        num_plans = len(values.plans)
        seeds = ((seed, values) for seed in range(10**6))
        yield Problem(name, num_plans, options.budget or num_plans, seeds)
        return
    for num_tasks in options.tasks:
        plans = tree_plans(TASK_NAMES[:num_tasks], NUM_UNITS, first_shared=FIRST_SHARED)
        yield Problem(
            f"planted T={num_tasks}",
            sum(1 for _ in plans),
            options.budget or BUDGETS[num_tasks],
            landscapes(num_tasks, options.noise),
        )


def draw(curves: Mapping[str, Mapping[str, Array]], path: Path) -> None:
    """Plot the median regret against trials, one panel per problem."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(5 * len(curves), 4), squeeze=False)
    for axis, (problem, regret_by_sampler) in zip(axes[0], curves.items(), strict=True):
        for name, regret in regret_by_sampler.items():
            axis.plot(
                np.arange(1, len(regret) + 1),
                100 * np.maximum(regret, 1e-4),
                label=name,
                linewidth=2.5 if name == "auto" else 1.2,
            )
        axis.axhline(100 * TOLERANCE, color="0.5", linewidth=0.8, linestyle=":")
        axis.set(title=problem, xlabel="trials", yscale="log")
        axis.set_ylabel("difference to the best plan, % of range")
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, help="table of trained plans")
    parser.add_argument("--affinity", type=Path, help="task affinity measured for the table")
    parser.add_argument("--setting", help="value of the table's column `setting`")
    parser.add_argument("--tasks", type=int, nargs="+", choices=list(BUDGETS), default=[3, 4, 5])
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument(
        "--seeds", nargs="+", default=[], help="a number for all samplers, or SAMPLER=NUMBER"
    )
    parser.add_argument("--budget", type=int, help="maximum trials per search; `random` ignores it")
    parser.add_argument(
        "--noise", type=float, default=NOISE, help="noise per task on landscapes, in percent"
    )
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    parser.add_argument("--picture", type=Path, help="plot the best value by trial as PNG")
    options = parser.parse_args()
    warm_starts = {"measured"} if options.affinity is not None else set[str]()
    warm_starts |= {*WARM_STARTS[:3]} if options.table is None else set()
    options.samplers = [
        name for name in options.samplers if name not in WARM_STARTS or name in warm_starts
    ]
    options.num_seeds = dict(SEEDS)
    for item in options.seeds:
        name, _, number = item.rpartition("=")
        options.num_seeds |= {sampler: int(number) for sampler in ([name] if name else SAMPLERS)}
    return options


def print_row(row: Summary, medians: Mapping[str, float]) -> None:
    """Print a row of the table."""
    to_random, to_auto = (
        row.median / medians.get(sampler, float("nan")) for sampler in ("random", "auto")
    )
    print(
        f"{row.problem:22}{row.plans:7}{row.sampler:>11}{row.seeds:7}{row.budget:8}"
        f"{row.median:8.0f}{row.quarter:7.0f}{row.three_quarters:7.0f}{row.not_found:9.0%}"
        f"{to_random:10.3f}{to_auto:8.2f}{row.deciding_ms:9.1f}",
        flush=True,
    )


def replay_sampler(
    name: str,
    values_by_seed: Sequence[tuple[int, PlanValues]],
    budget: int,
    *,
    is_partial: bool,
) -> list[Run]:
    """Replay one search per seed with one sampler."""
    space, sampler = build_sampler(name, values_by_seed[0][1], is_partial=is_partial)
    runs = []
    for seed, values in values_by_seed:
        if name == "random":
            runs.append(replay_random(values, seed, budget))
        else:
            warm_sampler = add_warm_start(name, space, sampler, values, seed)
            runs.append(replay(space, warm_sampler, values, seed, budget))
    return runs


def main() -> None:
    """Replay and print; write and plot if asked for by an option."""
    if "--named" in sys.argv:
        named.main([argument for argument in sys.argv[1:] if argument != "--named"])
        return
    options = parse()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(
        f"trials until within {TOLERANCE:.0%} of the range from the best, baselines included; "
        f"landscapes with {options.noise} % noise per task"
    )
    print(
        f"{'problem':22}{'plans':>7}{'sampler':>11}{'seeds':>7}{'budget':>8}{'median':>8}"
        f"{'25 %':>7}{'75 %':>7}{'missed':>9}{'/ random':>10}{'/ auto':>8}{'cpu ms':>9}"
    )
    rows: list[Summary] = []
    curves: dict[str, dict[str, Array]] = {}
    for problem in problems(options):
        max_seeds = max(options.num_seeds[name] for name in options.samplers)
        values_by_seed = list(islice(problem.values_by_seed, max_seeds))
        medians: dict[str, float] = {}
        for name in options.samplers:
            runs = replay_sampler(
                name,
                values_by_seed[: options.num_seeds[name]],
                problem.budget,
                is_partial=options.table is not None,
            )
            rows.append(summarize(problem.name, problem.num_plans, name, runs, problem.budget))
            medians[name] = rows[-1].median
            print_row(rows[-1], medians)
            curves.setdefault(problem.name, {})[name] = np.median(
                [run.regret for run in runs], axis=0
            )
    if options.out is not None:
        write(rows, options.out)
    if options.picture is not None:
        draw(curves, options.picture)


def write(rows: Sequence[Summary], path: Path) -> None:
    """Write the table as CSV."""
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(vars(rows[0])))
        writer.writeheader()
        writer.writerows(vars(row) for row in rows)


if __name__ == "__main__":
    main()
