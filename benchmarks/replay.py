"""Samplers compared by replaying searches on plans whose worth is known.

``python benchmarks/replay.py`` replays on synthetic landscapes (``landscape.py``) of 3, 4 and
5 tasks over 6 units, the first shared: 51, 561 and 7,556 plans. Every seed is another
landscape; one where a baseline is already among the best is passed over, since there is
nothing to find. ``--table FILE.csv`` replays on a table of trained plans instead (its columns
are described in ``docs/python-api.md``; it may be partial), where a seed decides
only what the sampler draws.

Every search starts with the baselines ``independent`` and ``hard``, which count as trials. A
proposal that was measured already does not count: every sampler is told the value again and
asked again, up to 25 times (Gaussian processes: 4 times), and then given an untried plan.

A search is there when it has tried a plan within 1 % of the best: whose Δm is less by at most
1 % of the range of Δm over all plans. On landscapes that is judged without the noise that the
sampler sees. On tables it is judged by the mean over seeds where a plan was trained with
several, each against ``independent`` with the same seed, less what all plans of a seed have in
common; the sampler sees the lowest seed.

Samplers: ``random``, uniform over untried plans; ``plain-tpe``, TPE with a categorical a unit
and task (its group's number; parted tasks stay apart, so that every answer is a tree);
``tpe``, ``gp`` and ``nsga2``, as ``search.sampler`` has them, on places and split depths;
``auto``, our default; on landscapes also ``auto`` with a first proposal by task affinity:
``right``, what tasks want of each unit, with noise as an estimate has; ``shuffled``, the same
numbers dealt out to units and pairs at random; ``reversed``, the most alike made the least.
On a table, ``--affinity DIR`` of what ``mtlsearch affinity`` measured gives ``measured``.

What it prints says how many seeds and trials each sampler was given. Slow ones can be given
fewer with ``--seeds tpe=50 gp=5``.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import optuna
from landscape import NOISE, Array, planted
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from optuna.samplers import TPESampler

from mtlsearch.affinity import Affinity, read_affinity
from mtlsearch.config import SearchConfig
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.plugin import Candidate, SearchSpace, Settings, Suggest, UnitSpec
from mtlsearch.results import delta_m
from mtlsearch.search import CandidateSpace
from mtlsearch.search.evaluators._function import equal_units
from mtlsearch.search.evaluators._plan_table import read_table, trained_plans
from mtlsearch.search.samplers import Observation, Sampler, make_sampler
from mtlsearch.search.samplers._observations import task_changes
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.search.samplers._warm_start import WarmStartSampler
from mtlsearch.search.space import Proposal, propose_baseline

UNITS, FIRST_SHARED = 6, 1
WITHIN = 0.01
PRIORS = ("right", "shuffled", "reversed", "measured")
SAMPLERS = ("random", "plain-tpe", "tpe", "gp", "nsga2", "auto", *PRIORS)
SEEDS = {"random": 200, "plain-tpe": 40, "tpe": 40, "gp": 5, "nsga2": 40, "auto": 200}
SEEDS |= dict.fromkeys(PRIORS, 200)
PRIOR_NOISE = 0.1
"""Standard deviation of what a right prior says of a unit and pair, a cosine."""

BUDGETS = {3: 51, 4: 150, 5: 200}


@dataclass(frozen=True)
class Worth:
    """Plans and what they are worth.

    Attributes:
        plans: all that may be measured, both baselines among them.
        measured: ``[N, T]`` each task's change as a trial measures it, percent.
        true: ``[N]`` Δm by which plans are judged, percent.
        agreement: ``[U, T, T]`` how much of a unit two tasks want in common, where known.
        affinity: what was measured, where it was.
    """

    plans: tuple[SharingPlan, ...]
    measured: Array
    true: Array
    agreement: Array | None = None
    affinity: Affinity | None = None

    @property
    def good(self) -> frozenset[SharingPlan]:
        """The plans within 1 % of the best."""
        least = self.true.max() - WITHIN * np.ptp(self.true)
        return frozenset(
            plan for plan, value in zip(self.plans, self.true, strict=True) if value >= least
        )

    @property
    def is_open(self) -> bool:
        """Whether there is something to find beyond the baselines."""
        return not any(str(plan) in ("hard", "independent") for plan in self.good)


class GroupSpace(SearchSpace[Settings]):
    """Tree plans as one writes them down first: a categorical a unit and task."""

    name = "groups"
    summary = "a group's number a unit and task"

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Tasks are together where they were together above and have the same number."""
        numbers = [str(at) for at in range(len(tasks))]
        above = dict.fromkeys(tasks, "")
        grouped = []
        for unit in range(len(units)):
            if unit >= FIRST_SHARED:
                above = {
                    task: above[task] + suggest.suggest_categorical(f"{unit}_{task}", numbers)
                    for task in tasks
                }
            grouped.append(
                [[at for at in tasks if above[at] == path] for path in set(above.values())]
            )
        return Candidate(SharingPlan.from_groups(grouped))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """The numbers of the canonical form."""
        rows = candidate.plan.rows
        if any(max(row) for row in rows[:FIRST_SHARED]):
            return None
        return {
            f"{unit}_{task}": str(rows[unit][at])
            for unit in range(FIRST_SHARED, len(rows))
            for at, task in enumerate(tasks)
        }


def make(name: str, worth: Worth, *, partial: bool) -> tuple[CandidateSpace, Sampler]:
    """A sampler with its space; a partial table's other plans are never proposed."""
    tasks, count = worth.plans[0].tasks, len(worth.plans[0].rows)
    units = equal_units(count)
    plain = name == "plain-tpe"
    space = CandidateSpace(
        space=GroupSpace(Settings())
        if plain
        else TreeSpace(TreeSettings(first_shared=FIRST_SHARED)),
        config=SearchConfig.model_validate({"sampler": _SETTINGS.get(name, name)}),
        tasks=tasks,
        backbones=("any",),
        learning_rate=1.0,
        units_of=lambda backbone: units,
        allowed_plans=frozenset(worth.plans) if partial else None,
    )
    if plain:
        return space, OptunaSampler(space, lambda seed: TPESampler(seed=seed))
    return space, make_sampler(space)


_SETTINGS = {"plain-tpe": "tpe", **dict.fromkeys(PRIORS, "auto")}
"""What ``search.sampler`` is for a sampler of another name."""


def with_prior(
    kind: str, space: CandidateSpace, sampler: Sampler, worth: Worth, seed: int
) -> Sampler:
    """The sampler after a first proposal by an affinity of that kind; itself for other names."""
    if kind == "measured" and worth.affinity is not None:
        return WarmStartSampler(space, worth.affinity, sampler)
    if kind not in PRIORS or worth.agreement is None:
        return sampler
    rng = np.random.default_rng([seed, PRIORS.index(kind)])
    tasks, count = worth.plans[0].tasks, len(worth.agreement)
    i, j = np.triu_indices(len(tasks), 1)
    known = worth.agreement[:, i, j]
    known = known + PRIOR_NOISE * rng.standard_normal(known.shape)
    if kind == "shuffled":
        known = rng.permutation(known.ravel()).reshape(known.shape)
    elif kind == "reversed":
        known = known.max() + known.min() - known
    alike = np.ones_like(worth.agreement)
    alike[:, i, j] = alike[:, j, i] = known
    pair, each = np.zeros((len(tasks), len(tasks))), np.zeros_like(alike)
    units = tuple(str(at) for at in range(count))
    affinity = Affinity(tasks, units, each, pair, pair, each, alike, pair.astype(np.int64), 0, 0)
    return WarmStartSampler(space, affinity, sampler)


@dataclass(frozen=True)
class Run:
    """One search.

    Attributes:
        found: trials until within 1 % of the best; infinite where the budget ended before.
        regret: after each trial, what the best so far lacks, as part of the range.
        deciding: processor seconds a proposal.
    """

    found: float
    regret: Array
    deciding: float


def trials(
    space: CandidateSpace, sampler: Sampler, worth: Worth, seed: int
) -> Iterator[tuple[SharingPlan, float]]:
    """The plans of one search, baselines first, and the seconds that choosing each took."""
    changes = {
        plan: dict(zip(plan.tasks, map(float, row), strict=True))
        for plan, row in zip(worth.plans, worth.measured, strict=True)
    }
    tried = list[Observation]()
    while True:
        spent = 0.0
        if len(tried) < 2:
            proposal: Proposal | None = propose_baseline(space, ("independent", "hard")[len(tried)])
        else:
            began = time.process_time()
            proposal = sampler.propose(tried, seed=seed)
            spent = time.process_time() - began
        if proposal is None:
            return
        plan = proposal.candidate.plan
        tried.append(Observation(proposal, proposal.candidate.digest, changes[plan]))
        yield plan, spent


def replay(space: CandidateSpace, sampler: Sampler, worth: Worth, seed: int, budget: int) -> Run:
    """One search until it is there or the budget is spent."""
    value = dict(zip(worth.plans, worth.true.tolist(), strict=True))
    good, reached = worth.good, list[float]()
    spent = 0.0
    for plan, seconds in islice(trials(space, sampler, worth, seed), budget):
        spent += seconds
        reached.append(value[plan])
        if plan in good:
            break
    lacks = (worth.true.max() - np.maximum.accumulate(reached)) / np.ptp(worth.true)
    there = lacks[-1] <= WITHIN
    # Once there a search stays there; what it would still gain is less than what is asked for.
    regret = np.full(budget, lacks[-1])
    regret[: len(lacks)] = lacks
    found = float(len(lacks)) if there else float("inf")
    return Run(found, regret, spent / max(1, len(reached) - 2))


def landscapes(tasks: int, noise: float) -> Iterator[tuple[int, Worth]]:
    """Open landscapes without end, with their seeds."""
    plans = list(tree_plans("abcdefgh"[:tasks], UNITS, first_shared=FIRST_SHARED))
    for seed in range(10**6):
        planted_here = planted(plans, seed, noise=noise)
        worth = Worth(
            planted_here.plans, planted_here.measured, planted_here.true, planted_here.agreement
        )
        if worth.is_open:
            yield seed, worth


def read_worth(path: Path, setting: str | None) -> Worth:
    """A table as what plans are worth."""
    table = read_table(path, setting)
    seeds = sorted(table["seed"].unique())
    by_seed = [trained_plans(table, int(seed)) for seed in seeds]
    first = by_seed[0]
    plans = tuple(first)
    independent = SharingPlan.independent(plans[0].tasks, len(plans[0].rows))
    measured, found = [], np.full((len(plans), len(seeds)), np.nan)
    for place, plan in enumerate(plans):
        changes = task_changes(first[plan].results, first[independent].results)
        if changes is None:
            raise SystemExit(f"Δm of {plan} is undefined")
        measured.append([changes[task] for task in plan.tasks])
        for column, known in enumerate(by_seed):
            if plan in known and independent in known:
                value, _ = delta_m(known[plan].results, known[independent].results)
                found[place, column] = np.nan if value is None else value
    return Worth(plans, np.array(measured), without_luck(found))


def without_luck(found: Array) -> Array:
    """What plans are worth, of Δm ``[N, S]`` by plan and seed, NaN where there is none.

    Δm of every plan of a seed has the luck of that seed's ``independent`` in it. It is taken
    off, as plans with all seeds show it, before the mean over the seeds that a plan has: else
    plans would gain or lose by having been trained with one more.
    """
    whole = found[~np.isnan(found).any(axis=1)]
    return np.asarray(
        np.nanmean(found - (whole - whole.mean(axis=1, keepdims=True)).mean(axis=0), axis=1)
    )


@dataclass(frozen=True)
class Summary:
    """How a sampler did on one kind of problem."""

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


def summarize(problem: str, plans: int, sampler: str, runs: Sequence[Run], budget: int) -> Summary:
    """Quantiles over runs, those that found nothing being infinitely long."""
    found = np.sort([run.found for run in runs])
    quantile = [float(np.quantile(found, at, method="inverted_cdf")) for at in (0.25, 0.5, 0.75)]
    return Summary(
        problem,
        plans,
        sampler,
        len(runs),
        budget,
        quantile[1],
        quantile[0],
        quantile[2],
        float(np.mean(np.isinf(found))),
        1000 * float(np.mean([run.deciding for run in runs])),
    )


def blind(worth: Worth, seed: int, budget: int) -> Run:
    """``random`` by one permutation, which is what drawing untried plans uniformly comes to."""
    named = {str(plan): at for at, plan in enumerate(worth.plans)}
    base = [named[baseline] for baseline in ("independent", "hard") if baseline in named]
    rest = np.setdiff1d(np.arange(len(worth.plans)), base)
    order = np.concatenate([base, np.random.default_rng(seed).permutation(rest)])
    lacks = (worth.true.max() - np.maximum.accumulate(worth.true[order])) / np.ptp(worth.true)
    found = float(np.argmax(lacks <= WITHIN) + 1)
    regret = np.full(budget, lacks[min(budget, len(lacks)) - 1])
    regret[: len(lacks)] = lacks[:budget]
    return Run(found, regret, 0.0)


def problems(
    options: argparse.Namespace,
) -> Iterator[tuple[str, int, int, Iterator[tuple[int, Worth]]]]:
    """Name, number of plans, budget and an endless supply of seeds with their worth."""
    if options.table is not None:
        worth = read_worth(options.table, options.setting)
        if options.affinity is not None:
            worth = replace(worth, affinity=read_affinity(options.affinity))
        name = options.table.stem + (f" {options.setting}" if options.setting else "")
        seeds = ((seed, worth) for seed in range(10**6))
        yield name, len(worth.plans), options.budget or len(worth.plans), seeds
        return
    for tasks in options.tasks:
        count = sum(1 for _ in tree_plans("abcdefgh"[:tasks], UNITS, first_shared=FIRST_SHARED))
        yield (
            f"planted T={tasks}",
            count,
            options.budget or BUDGETS[tasks],
            landscapes(tasks, options.noise),
        )


def draw(curves: Mapping[str, Mapping[str, Array]], path: Path) -> None:
    """Median regret against trials, one panel a problem."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(5 * len(curves), 4), squeeze=False)
    for axis, (problem, lines) in zip(axes[0], curves.items(), strict=True):
        for name, regret in lines.items():
            axis.plot(
                np.arange(1, len(regret) + 1),
                100 * np.maximum(regret, 1e-4),
                label=name,
                linewidth=2.5 if name == "auto" else 1.2,
            )
        axis.axhline(100 * WITHIN, color="grey", linewidth=0.8, linestyle=":")
        axis.set(title=problem, xlabel="trials", yscale="log")
        axis.set_ylabel("best so far below the best, % of range")
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, help="a table of trained plans")
    parser.add_argument("--affinity", type=Path, help="task affinity measured for the table")
    parser.add_argument("--setting", help="which of the table's settings")
    parser.add_argument("--tasks", type=int, nargs="+", choices=list(BUDGETS), default=[3, 4, 5])
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument(
        "--seeds", nargs="+", default=[], help="a number for all, or SAMPLER=NUMBER each"
    )
    parser.add_argument("--budget", type=int, help="most trials a search; random is never cut")
    parser.add_argument(
        "--noise", type=float, default=NOISE, help="of a task's change on landscapes, percent"
    )
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    parser.add_argument("--picture", type=Path, help="draw best-so-far curves as PNG")
    options = parser.parse_args()
    known = {"measured"} if options.affinity is not None else set[str]()
    known |= {*PRIORS[:3]} if options.table is None else set()
    options.samplers = [at for at in options.samplers if at not in PRIORS or at in known]
    options.counts = dict(SEEDS)
    for given in options.seeds:
        name, _, number = given.rpartition("=")
        options.counts |= {at: int(number) for at in ([name] if name else SAMPLERS)}
    return options


def show(row: Summary, medians: Mapping[str, float]) -> None:
    """Print a row of the table."""
    blind, default = (row.median / medians.get(at, float("nan")) for at in ("random", "auto"))
    print(
        f"{row.problem:22}{row.plans:7}{row.sampler:>11}{row.seeds:7}{row.budget:8}"
        f"{row.median:8.0f}{row.quarter:7.0f}{row.three_quarters:7.0f}{row.not_found:9.0%}"
        f"{blind:10.3f}{default:8.2f}{row.deciding_ms:9.1f}",
        flush=True,
    )


def main() -> None:
    """Replay, print, and perhaps write and draw."""
    options = parse()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(
        f"trials until within {WITHIN:.0%} of the range from the best, baselines included; "
        f"landscapes with {options.noise} % noise a task"
    )
    print(
        f"{'problem':22}{'plans':>7}{'sampler':>11}{'seeds':>7}{'budget':>8}{'median':>8}"
        f"{'25 %':>7}{'75 %':>7}{'missed':>9}{'/ random':>10}{'/ auto':>8}{'cpu ms':>9}"
    )
    rows: list[Summary] = []
    curves: dict[str, dict[str, Array]] = {}
    for problem, plans, budget, supply in problems(options):
        most = max(options.counts[name] for name in options.samplers)
        worths = [next(supply) for _ in range(most)]
        medians: dict[str, float] = {}
        for name in options.samplers:
            runs = []
            space, sampler = make(name, worths[0][1], partial=options.table is not None)
            for seed, worth in worths[: options.counts[name]]:
                if name == "random":
                    runs.append(blind(worth, seed, budget))
                else:
                    prior = with_prior(name, space, sampler, worth, seed)
                    runs.append(replay(space, prior, worth, seed, budget))
            rows.append(summarize(problem, plans, name, runs, budget))
            medians[name] = rows[-1].median
            show(rows[-1], medians)
            curves.setdefault(problem, {})[name] = np.median([run.regret for run in runs], axis=0)
    if options.out is not None:
        write(rows, options.out)
    if options.picture is not None:
        draw(curves, options.picture)


def write(rows: Sequence[Summary], path: Path) -> None:
    """Write the table as CSV, whole or not at all."""
    atomic_write = path.with_name(f".{path.name}.tmp")
    with atomic_write.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(vars(rows[0])))
        writer.writeheader()
        writer.writerows(vars(row) for row in rows)
    atomic_write.replace(path)


if __name__ == "__main__":
    main()
