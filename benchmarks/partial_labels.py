"""Step time with missing labels: labeled images only, against all images of the batch.

Run ``python benchmarks/partial_labels.py examples/leaves.yaml --set data.root=PATH``. For each
plan two copies of one network train on the same batches of the run, and take turns:

* ``all``: every unit and head runs on all images; outputs without a label are then removed;
* ``labeled``: as in training, they run on the images that carry a label of theirs.

``tree`` separates each task from the others in the middle of the network. The first column is
the number of labels relative to the number of images and tasks.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import pandas as pd
import torch
from step import Step, median_ratio, time_steps
from torch import Tensor, nn

from mtlsearch.config import load_run
from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Batch
from mtlsearch.registry import build_registry
from mtlsearch.runs import Session, open_session
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory
from mtlsearch.training import ProcessGroup, resolve_device, resolve_train_config, seeded_heads
from mtlsearch.training._accumulation import AccumulatingStep
from mtlsearch.training._device import resolve_placement, resolve_precision
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._step import TrainingStep


class AllImages(nn.Module):
    """Network that a training step runs on all images.

    Args:
        network: the network.
    """

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, tasks: Sequence[str]) -> dict[str, dict[str, Tensor]]:
        """Run the network without a selection of images."""
        return self.network(images, tasks)


def open_run(options: argparse.Namespace, device: torch.device) -> Session:
    """Open the run file, with a temporary run directory."""
    loaded = load_run(options.run, options.set, env=os.environ)
    resolved = build_registry(loaded.config.plugins).resolve(loaded)
    with tempfile.TemporaryDirectory() as folder:
        return open_session(
            resolved, RunDirectory(Path(folder)), device=device, progress=NullProgress()
        )


def build_step(session: Session, network: nn.Module, batches: Sequence[Batch]) -> Step:
    """Return the trainer's step; each call trains on the next batch."""
    evaluator = session.evaluator
    run, device = session.config, evaluator.device
    config = resolve_train_config(run.train, run.data.image_size, device)
    placement = resolve_placement(config.channels_last, device)
    placement.network(network.train())
    tasks = evaluator.task_by_name
    training = TrainingStep(
        network,
        tasks,
        label_by_task={task: run.label_of(task) for task in tasks},
        loss_weights=dict.fromkeys(tasks, 1.0),
        optimizer=build_optimizer(network, "adamw", learning_rate=1e-5, weight_decay=0.05),
        precision=resolve_precision(config.precision, device),
        clip_norm=config.clip_norm,
    )
    step = AccumulatingStep(
        training,
        network,
        placement,
        num_micro_batches=config.accumulation_steps,
        process_group=ProcessGroup(),
        notify=print,
    )
    endless = cycle(batches)
    return lambda: step(next(endless)) and None


def build_plans(tasks: Sequence[str], num_units: int) -> dict[str, SharingPlan]:
    """Return the baselines, and a tree whose tasks separate in the middle."""
    depths = [num_units // 2] * (len(tasks) - 1)
    return {
        "hard": SharingPlan.hard(tasks, num_units),
        "tree": SharingPlan.from_splits(tasks, depths, num_units),
        "independent": SharingPlan.independent(tasks, num_units),
    }


def measure(session: Session, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield one row per plan."""
    run, evaluator = session.config, session.evaluator
    cut = next(iter(evaluator.cut_backbones.values()))
    tasks = evaluator.task_by_name
    batches = list(islice(session.data.train_batches(0, run.train.batch_size), options.batches))
    coverage = statistics.mean(
        len(batch.targets[run.label_of(task)].rows) / len(batch.images)
        if run.label_of(task) in batch.targets
        else 0.0
        for batch in batches
        for task in tasks
    )
    for name, plan in build_plans(sorted(tasks), len(cut.units)).items():
        heads = seeded_heads(tasks, cut.features, run.seed)
        network = MultiTaskNetwork(cut, plan, heads)
        steps = {
            "all": build_step(session, AllImages(copy.deepcopy(network)), batches),
            "labeled": build_step(session, network, batches),
        }
        clock = time.process_time if options.cpu_time else time.perf_counter
        times = time_steps(steps, options.repeats, len(batches), evaluator.device, clock)
        yield {
            "labels": round(coverage, 3),
            "plan": name,
            "all_ms": round(statistics.median(times["all"]), 1),
            "labeled_ms": round(statistics.median(times["labeled"]), 1),
            "ratio": round(median_ratio(times["labeled"], times["all"]), 3),
        }


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batches", type=int, default=4, help="batches per turn")
    parser.add_argument("--repeats", type=int, default=9, help="turns per variant")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="measure processor time of this process, for a CPU that other programs use too",
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parse()
    device = resolve_device(options.device)
    session = open_run(options, device)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    rows = []
    for row in measure(session, options):
        rows.append(row)
        print(row, flush=True)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
