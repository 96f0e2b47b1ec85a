"""Rank correlation of merged single-task networks with trained plans.

``python benchmarks/merging.py RUN_DIR --table PLANS.csv`` merges the single-task networks of the
``independent`` baseline in a run directory, as ``mtlsearch estimate --merge`` does. It prints the
estimated and the trained change of each plan of the table by task, and Spearman's rank correlation
over the plans that share a unit. The run directory needs a pretrained backbone and the settings of
the table, such as from ``mtlsearch search RUN.yaml --trials 1``. Trained changes are means over the
seeds of the table, each against ``independent`` of its seed.

The results are in ``merging.json`` in the run directory. The benchmark resumes from it.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy.stats import spearmanr

from mtlsearch.config import load_run
from mtlsearch.plan import SharingPlan
from mtlsearch.registry import build_registry
from mtlsearch.results import delta_m_by_task, reference_trial
from mtlsearch.runs import Session, open_session
from mtlsearch.runs._merge_estimate import MergeEstimate, merge_estimate
from mtlsearch.runs._merge_price import MergeSettings
from mtlsearch.search import NullProgress
from mtlsearch.search.evaluators._plan_table import read_table, trained_plans
from mtlsearch.study import RunDirectory, read_records
from mtlsearch.training import resolve_device

TrainedChanges = dict[SharingPlan, dict[str, float]]


class PathProgress(NullProgress):
    """Progress that prints how many paths are measured."""

    def __init__(self) -> None:
        self._start = time.process_time()

    def stage(self, message: str, done: int, total: int) -> None:
        """Print a line per batch of paths."""
        if "merged" in message:
            seconds = time.process_time() - self._start
            print(f"{done} of {total} paths, {seconds:.0f} s of processor time", flush=True)


def trained_changes(path: Path, setting: str | None, tasks: tuple[str, ...]) -> TrainedChanges:
    """Return the change of each task of the plans of a table, the mean over seeds."""
    rows = read_table(path, setting)
    by_seed: dict[SharingPlan, list[dict[str, float]]] = {}
    for seed in sorted(rows["seed"].unique()):
        trained = trained_plans(rows, int(seed))
        first = next(iter(trained))
        reference = trained[SharingPlan.independent(tasks, len(first.rows))]
        for plan, result in trained.items():
            changes = delta_m_by_task(result.results, reference.results)
            if changes is not None and plan.shares:
                by_seed.setdefault(plan, []).append(changes)
    return {
        plan: {task: fmean(change[task] for change in changes) for task in tasks}
        for plan, changes in by_seed.items()
    }


def open_run(options: argparse.Namespace) -> Session:
    """Open the run directory."""
    run = RunDirectory(options.run)
    loaded = load_run(run.config, options.set, env=os.environ, plugins=options.plugins)
    return open_session(
        build_registry(options.plugins).resolve(loaded),
        run,
        device=resolve_device(options.device),
        progress=NullProgress(),
    )


def merge(session: Session, plans: list[SharingPlan], options: argparse.Namespace) -> MergeEstimate:
    """Measure the paths of the plans."""
    independent = reference_trial(read_records(options.run, session.config))
    if independent is None:
        raise SystemExit(f"{options.run} has no complete independent baseline")
    return merge_estimate(
        session,
        independent,
        plans,
        progress=PathProgress(),
        settings=MergeSettings(options.images, options.steps),
    )


def report(estimated: dict[str, dict[SharingPlan, float]], trained: TrainedChanges) -> None:
    """Print the changes of each plan, and the rank correlations."""
    tasks = tuple(estimated)
    plans = [plan for plan in trained if all(plan in estimated[task] for task in tasks)]
    left = np.array([[estimated[task][plan] for task in tasks] for plan in plans])
    right = np.array([[trained[plan][task] for task in tasks] for plan in plans])
    left, right = (np.column_stack([part, part.mean(axis=1)]) for part in (left, right))
    names = (*tasks, "delta_m")
    print("estimated / trained change in percent")
    for plan, merged, measured in zip(plans, left, right, strict=True):
        values = zip(names, merged, measured, strict=True)
        cells = [f"{name} {first:+.2f} / {second:+.2f}" for name, first, second in values]
        print(f"  {'   '.join(cells)}   {plan}")
    for column, name in enumerate(names):
        correlation = spearmanr(left[:, column], right[:, column]).statistic
        print(f"{name}: rank correlation {correlation:.2f}, {len(plans)} plans")


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, metavar="RUN_DIR")
    parser.add_argument("--table", type=Path, required=True, metavar="CSV", help="trained plans")
    parser.add_argument("--setting", help="setting of the table")
    parser.add_argument("--images", type=int, default=512, help="images for statistics")
    parser.add_argument("--steps", type=int, default=50, help="training steps per path")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--plugins", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    session = open_run(options)
    trained = trained_changes(options.table, options.setting, session.evaluator.tasks)
    merged = merge(session, list(trained), options)
    print(f"factor: {'mean' if merged.factor is None else merged.factor}")
    report(merged.changes(list(trained)), trained)


if __name__ == "__main__":
    main()
