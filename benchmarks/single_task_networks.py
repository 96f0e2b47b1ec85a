"""Three single-task networks merged to one, on coffee leaves.

``python benchmarks/single_task_networks.py --data-root PATH --out FILE.csv`` trains, for every
seed, one network per task of ``examples/leaves.yaml`` from ImageNet weights. Then it trains
plans that share, for a few epochs more. Each plan starts once from the networks of the tasks
(``backbone.checkpoints``: a shared unit starts from the mean of its networks), and from the
ImageNet weights: for these epochs only, and for as many epochs as single-task networks and
shared plan had together.

The table has one row per seed, start, plan and number of epochs, with the metrics after the last
epoch. ``seconds`` is processor time of the training, for single-task networks the sum.
``--report`` prints the mean over seeds and the mean change relative to the single-task networks
of the same seed, with its standard error over seeds.

The benchmark can be interrupted and resumes with the same command. The row of a training is
written when it ends, and rows in the table are not trained again. Weights of the single-task
networks are in a folder beside the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from leaves import (
    METRICS,
    TASKS,
    fill_or_report,
    folder_of,
    load,
    make_parser,
    plans,
    train_together,
)
from table import Row, append

from mtlsearch.config import load_run
from mtlsearch.registry import build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs import run_search
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory, read_records

SINGLE = "single-task"
"""Start and plan of the networks of one task each."""


class Key(NamedTuple):
    """A training.

    Attributes:
        seed: seed of the training.
        start: initial weights: ``single-task``, ``checkpoints`` or ``imagenet``.
        plan: name of the plan, see :func:`leaves.plans`; ``single-task`` for one network per task.
        epochs: passes over the training images.
    """

    seed: int
    start: str
    plan: str
    epochs: int


def keys(options: argparse.Namespace) -> Iterator[Key]:
    """Yield all trainings, in order."""
    for seed in range(options.seeds):
        yield Key(seed, SINGLE, SINGLE, options.epochs)
        for plan in plans():
            yield Key(seed, "checkpoints", plan, options.more)
            yield Key(seed, "imagenet", plan, options.more)
            yield Key(seed, "imagenet", plan, options.epochs + options.more)


def finished(folder: Path) -> TrialRecord:
    """Return the complete trial of a run with one candidate; killed attempts are left out."""
    [record] = [
        record
        for record in read_records(folder, load_run(folder / "run.yaml").config)
        if record.state == "complete"
    ]
    return record


def train_single(options: argparse.Namespace, key: Key, device: torch.device) -> Row:
    """Train one network per task, or read them; return their metrics in one row."""
    row: Row = {}
    kinds = {name: task.kind for name, task in load(options, key.seed, []).config.tasks.items()}
    costs = {"parameters": 0.0, "flops": 0.0, "seconds": 0.0}
    for task in TASKS:
        extra = {"segmentation": ", channels: 32", "detection": ", channels: 32"}
        text = f"{{{task}: {{kind: {kinds[task]}{extra.get(kinds[task], '')}}}}}"
        run = load(
            options,
            key.seed,
            [f"tasks={text}", f"train.epochs={key.epochs}", "search.space=hard", "search.trials=1"],
        )
        folder = folder_of(options, key.seed) / task
        run_search(build_registry().resolve(run), folder, device=device, progress=NullProgress())
        record = finished(folder)
        row |= {f"{task}.{name}": value for name, value in record.results[task].metrics.items()}
        costs["parameters"] += record.parameters
        costs["flops"] += record.flops
        costs["seconds"] += record.seconds
    return {**row, **costs}


def train_shared(options: argparse.Namespace, key: Key, device: torch.device) -> Row:
    """Train a plan; return its metrics after the last epoch."""
    overrides = [f"train.epochs={key.epochs}"]
    if key.start == "checkpoints":
        folders = {task: folder_of(options, key.seed) / task for task in TASKS}
        paths = {
            task: RunDirectory(folder).weights(finished(folder).number).resolve()
            for task, folder in folders.items()
        }
        text = ", ".join(f"{task}: {path}" for task, path in paths.items())
        overrides.append(f"backbone.checkpoints={{{text}}}")
    row = train_together(load(options, key.seed, overrides), plans()[key.plan], device)
    return {name: value for name, value in row.items() if name not in ("plan", "epoch")}


def trained(path: Path) -> set[Key]:
    """Return the trainings in the table."""
    if not path.is_file():
        return set()
    rows = pd.read_csv(path)[list(Key._fields)].itertuples(index=False, name=None)
    return {Key(*row) for row in rows}


def report(path: Path) -> None:
    """Print means over seeds, and changes relative to the single-task networks."""
    table = pd.read_csv(path)
    metrics = list(METRICS)
    single = table[table["start"] == SINGLE].set_index("seed")
    rows = []
    for (start, plan, epochs), group in table.groupby(["start", "plan", "epochs"], sort=False):
        by_seed = group.set_index("seed")
        changes = 100 * (by_seed[metrics] / single.loc[by_seed.index, metrics] - 1)
        changes["Δm %"] = changes.mean(axis=1)
        cells = {
            name: f"{changes[name].mean():+.1f} ± {changes[name].sem():.1f}" for name in changes
        }
        flops = by_seed["flops"].mean() / single["flops"].mean()
        means = {f"mean {name}": f"{by_seed[name].mean():.3f}" for name in metrics}
        rows.append(
            {"start": start, "plan": plan, "epochs": epochs, "seeds": len(group)}
            | {**cells, **means, "FLOPs": f"{flops:.2f}", "s": f"{by_seed['seconds'].mean():.0f}"}
        )
    print(pd.DataFrame(rows).to_string(index=False))


def fill(options: argparse.Namespace, device: torch.device) -> None:
    """Train all networks that are not in the table."""
    for key in keys(options):
        if key in trained(options.out):
            continue
        train = train_single if key.start == SINGLE else train_shared
        append(pd.DataFrame([{**key._asdict(), **train(options, key, device)}]), options.out)
        print(*key, flush=True)


if __name__ == "__main__":
    parser = make_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=6, help="epochs of single-task networks")
    parser.add_argument("--more", type=int, default=3, help="epochs of shared plans after that")
    fill_or_report(parser.parse_args(), fill, report)
