"""Training-step time: a ``MultiTaskNetwork`` against the same network written by hand.

Run ``python benchmarks/step.py`` (minutes), or ``--quick`` (less than a minute). For every
backbone and plan three variants take turns, so that a change of the machine's speed affects all
of them:

* ``hand``: plain ``nn.Module`` code without mtlsearch, in a plain training loop;
* ``ours``: :class:`mtlsearch.models.MultiTaskNetwork` in the same loop;
* ``trainer``: the same network in the trainer's step, which also checks losses and clips
  gradients.

Before the measurement, the two networks are compared: number of weights, and outputs in eval
and in training mode.
"""

from __future__ import annotations

import argparse
import copy
import csv
import ctypes
import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from hand_written import CUT_BY_BACKBONE, HandWrittenNetwork
from torch import Tensor, nn
from torch.nn import functional as F

from mtlsearch.config import TrainConfig
from mtlsearch.files import atomic_write
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import (
    Batch,
    FeatureSpec,
    Meter,
    Metric,
    Outputs,
    OutputSpec,
    Settings,
    Targets,
    TargetValues,
    Task,
)
from mtlsearch.training import Precision, ProcessGroup, resolve_device, seeded_heads
from mtlsearch.training._accumulation import AccumulatingStep
from mtlsearch.training._device import resolve_placement, resolve_precision
from mtlsearch.training._loss_tracker import LossTracker
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._step import TrainingStep

TASKS = ("boxes", "outline", "scene")
NUM_CLASSES = 10
M_MMAP_THRESHOLD = -3
"""Parameter of ``mallopt(3)``."""

Step = Callable[[], None]


class PooledHead(nn.Module):
    """Head that averages every level and classifies."""

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        self.linear = nn.Linear(sum(level.channels for level in features.levels), NUM_CLASSES)

    def forward(self, levels: Sequence[Tensor]) -> Outputs:
        """Return ``scores`` ``[B, 10]`` of levels ``[B, C, h, w]``."""
        return {"scores": self.linear(torch.cat([level.mean((2, 3)) for level in levels], 1))}


class PooledClassification(Task):
    """Classification with the smallest head, so that the backbone dominates the time."""

    kind = "classify"
    summary = "classes of pooled levels"
    accepts = (Form.CATEGORY,)

    @property
    def metrics(self) -> Sequence[Metric]:
        """Accuracy, which is not computed."""
        return (Metric("accuracy", higher_is_better=True, primary=True),)

    @property
    def output(self) -> OutputSpec:
        """Classes without names."""
        return OutputSpec(Form.CATEGORY)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """Build pooling and one linear layer."""
        return PooledHead(features)

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Compute the cross-entropy."""
        return F.cross_entropy(outputs["scores"], targets)

    def meter(self) -> Meter:
        """Raise an error, because only steps are timed."""
        raise NotImplementedError("only steps are timed")

    def predict(self, outputs: Outputs) -> Outputs:
        """Return the scores."""
        return outputs


def build_plans(num_units: int) -> dict[str, SharingPlan]:
    """Build the baselines, and a tree whose tasks separate in the middle."""
    return {
        "hard": SharingPlan.hard(TASKS, num_units),
        "tree": SharingPlan.from_splits(TASKS, [num_units // 2, (3 * num_units) // 4], num_units),
        "independent": SharingPlan.independent(TASKS, num_units),
    }


def make_batch(batch_size: int, size: int, device: torch.device) -> Batch:
    """Create a batch of noise with a class for every task, on the device."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, 3, size, size, generator=generator)
    rows = torch.arange(batch_size)
    targets = {
        task: Targets(rows, torch.randint(NUM_CLASSES, (batch_size,), generator=generator))
        for task in TASKS
    }
    return resolve_placement("auto", device).batch(Batch(images, targets))


def build_tasks() -> dict[str, Task]:
    """Build one classification task per name."""
    return {
        task: PooledClassification(task, Settings(), LabelSpec(Form.CATEGORY)) for task in TASKS
    }


def plain_step(network: nn.Module, batch: Batch, precision: Precision) -> Step:
    """Return the body of a plain training loop, as tutorials show it."""
    optimizer = build_optimizer(network, "adamw", learning_rate=1e-4, weight_decay=0.05)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with precision.autocast(batch.images.device):
            outputs = network(batch.images)
        loss = sum(
            F.cross_entropy(outputs[task]["scores"].float(), batch.targets[task].values)
            for task in TASKS
        )
        loss.backward()
        optimizer.step()

    return step


def trainer_step(
    network: nn.Module, tasks: Mapping[str, Task], batch: Batch, config: TrainConfig
) -> tuple[Step, LossTracker]:
    """Return the trainer's step with the ``train`` settings of a run file, and its losses."""
    device = batch.images.device
    placement = resolve_placement(config.channels_last, device)
    placement.network(network)
    training = TrainingStep(
        torch.compile(network) if config.compile else network,  # type: ignore[arg-type]
        tasks,
        label_by_task={task: task for task in tasks},
        loss_weights=dict.fromkeys(tasks, 1.0),
        optimizer=build_optimizer(network, "adamw", learning_rate=1e-4, weight_decay=0.05),
        precision=resolve_precision(config.precision, device),
        clip_norm=config.clip_norm,
    )
    accumulating = AccumulatingStep(
        training,
        network,
        placement,
        num_micro_batches=config.accumulation_steps,
        process_group=ProcessGroup(),
        notify=print,
    )
    tracker = LossTracker(0, device)
    return (lambda: tracker.add(0, accumulating(batch)) and None), tracker


def check_equal(ours: nn.Module, hand_written: nn.Module, images: Tensor) -> None:
    """Raise an error if the networks differ, in eval or in training mode."""
    num_ours, num_hand_written = (
        sum(parameter.numel() for parameter in network.parameters())
        for network in (ours, hand_written)
    )
    if num_ours != num_hand_written:
        raise SystemExit(
            f"numbers of parameters differ: {num_ours} in `MultiTaskNetwork`, "
            f"{num_hand_written} in the hand-written network"
        )
    for is_training in (False, True):
        # Copies, because training mode changes the running statistics.
        outputs, expected = (
            copy.deepcopy(network).train(is_training)(images) for network in (ours, hand_written)
        )
        for task in TASKS:
            torch.testing.assert_close(
                outputs[task]["scores"], expected[task]["scores"], rtol=1e-4, atol=1e-5
            )


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_steps(
    steps: dict[str, Step],
    repeats: int,
    steps_per_turn: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
    context: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
) -> dict[str, list[float]]:
    """Return the milliseconds per step of every variant; they take turns in rotating order.

    ``context`` gives the context in which the steps of a variant run. Entering it is not timed.
    """
    names = list(steps)
    milliseconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        with context(name):
            for _ in range(3):
                steps[name]()
    for turn in range(repeats):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            with context(name):
                synchronize(device)
                start = clock()
                for _ in range(steps_per_turn):
                    steps[name]()
                synchronize(device)
                milliseconds[name].append((clock() - start) / steps_per_turn * 1000)
    return milliseconds


def peak_memory(step: Step, device: torch.device) -> float:
    """Return the peak memory of a step above the memory in use before it, in MiB."""
    if device.type != "cuda":
        return peak_memory_of_process(step)
    synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    synchronize(device)
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20


def peak_memory_of_process(step: Step) -> float:
    """Measure the same on a CPU, in a forked process; NaN if the kernel does not support it.

    In that process, malloc maps every tensor to separate pages and unmaps them when the tensor
    is freed. Then the memory of the process changes by the memory of the tensors.
    """
    if not Path("/proc/self/clear_refs").exists():
        return float("nan")
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        torch.set_num_threads(1)
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 4096)
        libc.malloc_trim(0)
        for _ in range(2):
            step()
        gc.collect()
        peaks = []
        for _ in range(5):
            libc.malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")  # resets the peak
            before = _process_kibibytes("VmRSS")
            step()
            peaks.append((_process_kibibytes("VmHWM") - before) / 1024)
        sender.send(statistics.median(peaks))

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    sender.close()
    try:
        return float(receiver.recv())
    finally:
        child.join()


def _process_kibibytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


@dataclass(frozen=True)
class Row:
    """Step times of one backbone with one plan.

    Attributes:
        backbone: timm model name.
        plan: name of the plan.
        gflops: FLOPs of the network for one image, in billions.
        hand_ms: median milliseconds of ``hand``.
        ours_ms: median milliseconds of ``ours``.
        trainer_ms: median milliseconds of ``trainer``.
        ours_ratio: time of ``ours`` relative to ``hand``, median over turns.
        trainer_ratio: time of ``trainer`` relative to ``hand``, median over turns.
        memory_ratio: peak memory of ``ours`` relative to ``hand``.
    """

    backbone: str
    plan: str
    gflops: float
    hand_ms: float
    ours_ms: float
    trainer_ms: float
    ours_ratio: float
    trainer_ratio: float
    memory_ratio: float


def measure(backbone: str, options: argparse.Namespace, device: torch.device) -> Iterator[Row]:
    """Yield a row per plan for a backbone."""
    cut = cut_backbone(backbone, (options.size, options.size))
    tasks = build_tasks()
    batch = make_batch(options.batch, options.size, device)
    config = TrainConfig(precision="bf16" if options.bf16 else "fp32")
    precision = resolve_precision(config.precision, device)
    clock = time.process_time if options.cpu_time else time.perf_counter
    for plan_name, plan in build_plans(len(cut.units)).items():
        heads = seeded_heads(tasks, cut.features, 0)
        ours = MultiTaskNetwork(cut, plan, heads)
        hand_written = HandWrittenNetwork(
            cut.template, plan, CUT_BY_BACKBONE[backbone], copy.deepcopy(heads)
        )
        check_equal(ours, hand_written, batch.images[:4].cpu())
        networks = {"hand": hand_written, "ours": ours, "trainer": copy.deepcopy(ours)}
        for network in networks.values():
            resolve_placement("auto", device).network(network.train())
        steps = {
            "hand": plain_step(networks["hand"], batch, precision),
            "ours": plain_step(networks["ours"], batch, precision),
            "trainer": trainer_step(networks["trainer"], tasks, batch, config)[0],
        }
        times = time_steps(steps, options.repeats, options.each, device, clock)
        memory = {name: peak_memory(steps[name], device) for name in ("hand", "ours")}
        medians = {name: statistics.median(values) for name, values in times.items()}
        yield Row(
            backbone,
            plan_name,
            ours.cost.flops / 1e9,
            medians["hand"],
            medians["ours"],
            medians["trainer"],
            median_ratio(times["ours"], times["hand"]),
            median_ratio(times["trainer"], times["hand"]),
            memory["ours"] / memory["hand"],
        )


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median of the ratios."""
    return statistics.median(
        numerator / denominator
        for numerator, denominator in zip(numerators, denominators, strict=True)
    )


def print_row(row: Row) -> None:
    """Print a row of the table."""
    print(
        f"{row.backbone:24}{row.plan:13}{row.gflops:8.3f}{row.hand_ms:10.2f}{row.ours_ms:10.2f}"
        f"{row.trainer_ms:10.2f}{row.ours_ratio:9.3f}{row.trainer_ratio:9.3f}"
        f"{row.memory_ratio:9.3f}",
        flush=True,
    )


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table as CSV."""
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(
            {column: _round(value) for column, value in asdict(row).items()} for row in rows
        )


def _round(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def build_parser(description: str, *, repeats: int) -> argparse.ArgumentParser:
    """Build a parser with the options that benchmarks of training steps have in common."""
    parser = argparse.ArgumentParser(description=description)
    backbones = list(CUT_BY_BACKBONE)
    parser.add_argument("--backbones", nargs="+", choices=backbones, default=backbones)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=96, help="pixels along one side")
    parser.add_argument("--batch", type=int, default=16, help="images per step")
    parser.add_argument("--repeats", type=int, default=repeats, help="turns per variant")
    parser.add_argument("--each", type=int, default=1, help="steps per turn")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    return parser


def print_environment(options: argparse.Namespace, device: torch.device) -> None:
    """Print version, device and options in one line."""
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, "
        f"{options.size} px, batch {options.batch}, {options.repeats} turns of {options.each}"
    )


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = build_parser(__doc__.splitlines()[0], repeats=25)
    parser.add_argument("--bf16", action="store_true", help="use autocast with bfloat16")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="measure processor time of this process, for a CPU that other programs use too",
    )
    parser.add_argument("--quick", action="store_true", help="small images and few turns")
    options = parser.parse_args()
    if options.quick:
        options.size, options.batch, options.repeats = 64, 4, 7
    return options


def main() -> None:
    """Measure, print and write if ``--out`` is given."""
    options = parse()
    device = resolve_device(options.device)
    print_environment(options, device)
    print(
        f"{'backbone':24}{'plan':13}{'GFLOPs':>8}{'hand ms':>10}{'ours ms':>10}{'trainer':>10}"
        f"{'ours/h':>9}{'train/h':>9}{'memory':>9}"
    )
    rows = []
    for backbone in options.backbones:
        for row in measure(backbone, options, device):
            print_row(row)
            rows.append(row)
    median = statistics.median(row.ours_ratio for row in rows)
    print(f"median of ours / hand over {len(rows)} rows: {median:.3f}")
    if options.out is not None:
        write(rows, options.out)


if __name__ == "__main__":
    main()
