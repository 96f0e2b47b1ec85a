"""Time and memory of a training step with every balancer, relative to static weights.

Run ``python benchmarks/balancers.py`` (minutes). Three tasks share all units of a small network.
Every balancer in the registry takes steps on one batch. The balancers take turns, so that a
change of the machine's speed affects all of them. Memory is the peak of a step above the memory
in use before it: measured by torch's profiler on the CPU, by torch's allocator on a GPU.
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
from step import TASKS, Step, build_tasks, make_batch, peak_memory, time_steps
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
    """Cost of one balancer.

    Attributes:
        balancer: its name.
        kind: what it works on: losses, losses measured twice, or gradients.
        milliseconds: time of a step, median over all turns.
        time_ratio: time relative to static weights, median over all turns.
        mebibytes: peak memory of a step above the memory in use before it.
        memory_ratio: memory relative to static weights.
    """

    balancer: str
    kind: str
    milliseconds: float
    time_ratio: float
    mebibytes: float
    memory_ratio: float


def build_step(
    balancer: type[Balancer], cut: CutBackbone, batch: Batch, device: torch.device
) -> Step:
    """Build a training step with a balancer; the initial weights are equal for all."""
    tasks = build_tasks()
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
        balancer=BalancerConfig(
            lambda names: balancer(balancer.Settings(), names), shared_groups(network)
        ),
    )
    return lambda: training(batch) and None


def measure_peak(step: Step, device: torch.device) -> float:
    """Return the peak memory of a step above the memory in use before it, in MiB."""
    if device.type == "cuda":
        return peak_memory(step, device)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events = [
        event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"
    ]
    in_use, peak = 0, 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        in_use += event.nbytes()
        peak = max(peak, in_use)
    return peak / 2**20


def measure(options: argparse.Namespace, device: torch.device) -> list[Row]:
    """Measure every balancer; return static weights first, then the others by time."""
    torch.manual_seed(0)
    balancers = build_registry().balancers
    batch = make_batch(options.batch, options.size, device)
    cut = cut_backbone(options.backbone, (options.size, options.size))
    steps = {name: build_step(kind, cut, batch, device) for name, kind in balancers.items()}
    times = time_steps(steps, options.repeats, 1, device)
    memory = {name: measure_peak(step, device) for name, step in steps.items()}
    rows = []
    for name, balancer in balancers.items():
        kind = "gradients" if balancer.per_task_gradients else "losses"
        pairs = zip(times[name], times[STATIC], strict=True)
        rows.append(
            Row(
                name,
                "losses twice" if balancer.remeasures_losses else kind,
                statistics.median(times[name]),
                statistics.median(balanced / static for balanced, static in pairs),
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


def round_row(row: Row) -> Row:
    """Round to the precision of the measurement."""
    return replace(
        row,
        milliseconds=round(row.milliseconds, 1),
        time_ratio=round(row.time_ratio, 2),
        mebibytes=round(row.mebibytes, 2),
        memory_ratio=round(row.memory_ratio, 2),
    )


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="test_resnet")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=64, help="pixels along one side")
    parser.add_argument("--batch", type=int, default=8, help="images per step")
    parser.add_argument("--repeats", type=int, default=9, help="steps per balancer")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    return parser.parse_args()


def main() -> None:
    """Measure, print and write if ``--out`` is given."""
    options = parse()
    device = resolve_device(options.device)
    num_units = len(cut_backbone(options.backbone, (options.size, options.size)).units)
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} of {os.cpu_count()} "
        f"threads, {platform.machine()}; {options.backbone}, {num_units} units shared by "
        f"{len(TASKS)} tasks, {options.size} px, batch {options.batch}, {options.repeats} turns"
    )
    rows = [round_row(row) for row in measure(options, device)]
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
