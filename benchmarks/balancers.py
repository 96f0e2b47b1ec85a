"""What each way of balancing costs: time and memory of a training step against static weights.

Run ``python benchmarks/balance.py`` (minutes). Three tasks share all of a small network; every
balancer of the catalogue takes steps on one batch, in turns, so that a machine that slows down
slows all. On the CPU memory is the peak of what torch holds at once within a step beyond what
it held before, by torch's profiler; on a GPU it is torch's own count.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from step import TASKS, Step, classifiers, make_batch, peak_memory, timed
from torch.profiler import ProfilerActivity, profile

from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import STATIC, Balancer, Batch
from mtlsearch.registry import build_registry
from mtlsearch.training import (
    BalancerConfig,
    Precision,
    resolve_device,
    seeded_heads,
    shared_groups,
)
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._step import TrainingStep


@dataclass(frozen=True)
class Row:
    """One balancer.

    Attributes:
        balancer: its name.
        kind: what it works on: losses, losses measured twice, or gradients.
        milliseconds: a step, the median of all turns.
        time_ratio: to static weights, the median of the turns' ratios.
        mebibytes: the step's peak beyond what was held before.
        memory_ratio: to static weights.
    """

    balancer: str
    kind: str
    milliseconds: float
    time_ratio: float
    mebibytes: float
    memory_ratio: float


def build(kind: type[Balancer], cut: CutBackbone, batch: Batch, device: torch.device) -> Step:
    """A step of a fresh network with that balancer; the same weights for all."""
    tasks = classifiers()
    plan = SharingPlan.hard(TASKS, len(cut.units))
    network = MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 0)).to(device).train()
    training = TrainingStep(
        network,
        tasks,
        label_by_task={task: task for task in TASKS},
        loss_weights=dict.fromkeys(TASKS, 1.0),
        optimizer=build_optimizer(network, "adamw", learning_rate=1e-4, weight_decay=0.05),
        precision=Precision(),
        clip_norm=1.0,
        balancer=BalancerConfig(lambda names: kind(kind.Settings(), names), shared_groups(network)),
    )
    return lambda: training(batch) and None


def peak(step: Step, device: torch.device) -> float:
    """Mebibytes that a step holds at once beyond what was held before."""
    if device.type == "cuda":
        return peak_memory(step, device)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        step()
    events = [at for at in watched.profiler.kineto_results.events() if at.name() == "[memory]"]
    held, most = 0, 0
    for event in sorted(events, key=lambda at: at.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most / 2**20


def measure(options: argparse.Namespace, device: torch.device) -> list[Row]:
    """Time and weigh every balancer; static first, then by time."""
    torch.manual_seed(0)
    balancers = build_registry().balancers
    batch = make_batch(options.batch, options.size, device)
    cut = cut_backbone(options.backbone, (options.size, options.size))
    steps = {name: build(kind, cut, batch, device) for name, kind in balancers.items()}
    times = timed(steps, options.repeats, 1, device)
    memory = {name: peak(step, device) for name, step in steps.items()}
    rows = []
    for name, balancer in balancers.items():
        kind = "gradients" if balancer.per_task_gradients else "losses"
        pairs = zip(times[name], times[STATIC], strict=True)
        rows.append(
            Row(
                name,
                "losses twice" if balancer.remeasures_losses else kind,
                statistics.median(times[name]),
                statistics.median(own / static for own, static in pairs),
                memory[name],
                memory[name] / memory[STATIC],
            )
        )
    return sorted(rows, key=lambda row: (row.balancer != STATIC, row.time_ratio))


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def rounded(row: Row) -> Row:
    """Three digits are what the measuring is worth."""
    return replace(
        row,
        milliseconds=round(row.milliseconds, 1),
        time_ratio=round(row.time_ratio, 2),
        mebibytes=round(row.mebibytes, 2),
        memory_ratio=round(row.memory_ratio, 2),
    )


def main() -> None:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="test_resnet")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=9, help="steps of each balancer")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    options = parser.parse_args()
    device = resolve_device(options.device)
    units = len(cut_backbone(options.backbone, (options.size, options.size)).units)
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} of {os.cpu_count()} "
        f"threads, {platform.machine()}; {options.backbone}, {units} units shared by "
        f"{len(TASKS)} tasks, {options.size} px, batch {options.batch}, {options.repeats} turns"
    )
    rows = [rounded(row) for row in measure(options, device)]
    print(f"{'balancer':14}{'works on':14}{'ms':>8}{'x static':>10}{'MiB':>8}{'x static':>10}")
    for row in rows:
        print(
            f"{row.balancer:14}{row.kind:14}{row.milliseconds:8.1f}{row.time_ratio:10.2f}"
            f"{row.mebibytes:8.2f}{row.memory_ratio:10.2f}"
        )
    if options.out is not None:
        write(rows, options.out)


if __name__ == "__main__":
    main()
