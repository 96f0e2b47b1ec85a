"""Training-step time: our network against the same network written by hand.

Run ``python benchmarks/step.py`` (minutes), or ``--quick`` (under a minute). For every
backbone and plan three contestants take turns, so that a machine that slows down slows all:

* ``hand``: plain ``nn.Module`` code without any of ours, in a plain training loop;
* ``ours``: :class:`mtlsearch.models.MultiTaskNetwork` in the same loop;
* ``trainer``: the same network in our trainer's step, which checks losses and clips too.

Before anything is timed all three are shown to be one network: the same weights, the same
outputs in eval mode, the same loss in training mode.
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
from hand_written import BY_HAND, ByHand
from torch import Tensor, nn
from torch.nn import functional as F

from mtlsearch.config import TrainConfig
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
CLASSES = 10


class Head(nn.Module):
    """Averages every level and classifies."""

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        self.linear = nn.Linear(sum(level.channels for level in features.levels), CLASSES)

    def forward(self, levels: Sequence[Tensor]) -> Outputs:
        """``scores`` ``[B, 10]`` of levels ``[B, C, h, w]``."""
        return {"scores": self.linear(torch.cat([level.mean((2, 3)) for level in levels], 1))}


class Classify(Task):
    """The plainest task, so that the backbone is what is timed."""

    kind = "classify"
    summary = "classes of pooled levels"
    accepts = (Form.CATEGORY,)

    @property
    def metrics(self) -> Sequence[Metric]:
        """Accuracy, never asked for."""
        return (Metric("accuracy", higher_is_better=True, primary=True),)

    @property
    def output(self) -> OutputSpec:
        """Classes without names."""
        return OutputSpec(Form.CATEGORY)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """Pooling and one linear layer."""
        return Head(features)

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Cross-entropy."""
        return F.cross_entropy(outputs["scores"], targets)

    def meter(self) -> Meter:
        """Not there: only steps are timed."""
        raise NotImplementedError("only steps are timed")

    def predict(self, outputs: Outputs) -> Outputs:
        """The scores as they are."""
        return outputs


def plans(units: int) -> dict[str, SharingPlan]:
    """Everything shared, a tree that parts in the middle, nothing shared."""
    return {
        "hard": SharingPlan.hard(TASKS, units),
        "tree": SharingPlan.from_splits(TASKS, [units // 2, (3 * units) // 4], units),
        "independent": SharingPlan.independent(TASKS, units),
    }


def make_batch(batch: int, size: int, device: torch.device) -> Batch:
    """Noise with a class for every task, on the device."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, size, size, generator=generator)
    rows = torch.arange(batch)
    targets = {
        task: Targets(rows, torch.randint(CLASSES, (batch,), generator=generator)) for task in TASKS
    }
    return resolve_placement("auto", device).batch(Batch(images, targets))


Step = Callable[[], None]


def classifiers() -> dict[str, Task]:
    """A plain task of each name."""
    return {task: Classify(task, Settings(), LabelSpec(Form.CATEGORY)) for task in TASKS}


def plain_step(network: nn.Module, batch: Batch, precision: Precision) -> Step:
    """A training loop's body as it stands in tutorials."""
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
    """Our trainer's step as a run file's ``train`` asks for it, and the log of its losses."""
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
    fitted = AccumulatingStep(
        training,
        network,
        placement,
        num_micro_batches=config.accumulation_steps,
        process_group=ProcessGroup(),
        notify=print,
    )
    log = LossTracker(0, device)
    return (lambda: log.add(0, fitted(batch)) and None), log


def check_equal(ours: nn.Module, hand: nn.Module, images: Tensor) -> None:
    """Raise unless both compute the same, in eval and in training mode."""
    count = [sum(at.numel() for at in network.parameters()) for network in (ours, hand)]
    if count[0] != count[1]:
        raise SystemExit(f"ours has {count[0]} parameters, the hand-written {count[1]}")
    for mode in (False, True):
        # Copies, since training mode moves the running statistics.
        found, expected = (copy.deepcopy(at).train(mode)(images) for at in (ours, hand))
        for task in TASKS:
            torch.testing.assert_close(
                found[task]["scores"], expected[task]["scores"], rtol=1e-4, atol=1e-5
            )


def wait(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(
    steps: dict[str, Step],
    repeats: int,
    each: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
    within: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
) -> dict[str, list[float]]:
    """Milliseconds a step of every contestant, taking turns, a new order every round.

    ``within`` gives the context that a contestant's steps are taken in; entering it is not timed.
    """
    names = list(steps)
    found: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        with within(name):
            for _ in range(3):
                steps[name]()
    for turn in range(repeats):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            with within(name):
                wait(device)
                began = clock()
                for _ in range(each):
                    steps[name]()
                wait(device)
                found[name].append((clock() - began) / each * 1000)
    return found


def peak_memory(step: Step, device: torch.device) -> float:
    """Mebibytes that a step takes beyond what was there before."""
    if device.type != "cuda":
        return peak_memory_of_process(step)
    wait(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    wait(device)
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20


def peak_memory_of_process(step: Step) -> float:
    """The same on a CPU, in a process of its own; NaN where the kernel does not tell.

    There malloc gives every tensor its own pages and takes them back when it is freed, so
    that what the process holds is what the tensors take.
    """
    if not Path("/proc/self/clear_refs").exists():
        return float("nan")
    here, there = multiprocessing.Pipe(duplex=False)

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
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
            before = _kibibytes("VmRSS")
            step()
            peaks.append((_kibibytes("VmHWM") - before) / 1024)
        there.send(statistics.median(peaks))

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    there.close()
    try:
        return float(here.recv())
    finally:
        child.join()


M_MMAP_THRESHOLD = -3
"""Of ``mallopt(3)``."""


def _kibibytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


@dataclass(frozen=True)
class Row:
    """One backbone with one plan."""

    backbone: str
    plan: str
    gflops: float
    hand_ms: float
    ours_ms: float
    trainer_ms: float
    ours_ratio: float
    trainer_ratio: float
    memory_ratio: float


def measure(name: str, options: argparse.Namespace, device: torch.device) -> Iterator[Row]:
    """Time one backbone with every plan."""
    cut = cut_backbone(name, (options.size, options.size))
    tasks = classifiers()
    batch = make_batch(options.batch, options.size, device)
    config = TrainConfig(precision="bf16" if options.bf16 else "fp32")
    precision = resolve_precision(config.precision, device)
    for plan_name, plan in plans(len(cut.units)).items():
        heads = seeded_heads(tasks, cut.features, 0)
        ours = MultiTaskNetwork(cut, plan, heads)
        hand = ByHand(cut.template, plan, BY_HAND[name], copy.deepcopy(heads))
        check_equal(ours, hand, batch.images[:4].cpu())
        networks = {"hand": hand, "ours": ours, "trainer": copy.deepcopy(ours)}
        for network in networks.values():
            resolve_placement("auto", device).network(network.train())
        steps = {
            "hand": plain_step(networks["hand"], batch, precision),
            "ours": plain_step(networks["ours"], batch, precision),
            "trainer": trainer_step(networks["trainer"], tasks, batch, config)[0],
        }
        clock = time.process_time if options.cpu_time else time.perf_counter
        times = timed(steps, options.repeats, options.each, device, clock)
        memory = {at: peak_memory(steps[at], device) for at in ("hand", "ours")}
        middle = {at: statistics.median(values) for at, values in times.items()}
        ratio = {
            at: statistics.median(a / b for a, b in zip(times[at], times["hand"], strict=True))
            for at in ("ours", "trainer")
        }
        yield Row(
            name,
            plan_name,
            ours.cost.flops / 1e9,
            middle["hand"],
            middle["ours"],
            middle["trainer"],
            ratio["ours"],
            ratio["trainer"],
            memory["ours"] / memory["hand"],
        )


def show(row: Row) -> None:
    """Print a row of the table."""
    print(
        f"{row.backbone:24}{row.plan:13}{row.gflops:8.3f}{row.hand_ms:10.2f}{row.ours_ms:10.2f}"
        f"{row.trainer_ms:10.2f}{row.ours_ratio:9.3f}{row.trainer_ratio:9.3f}"
        f"{row.memory_ratio:9.3f}",
        flush=True,
    )


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table as CSV, whole or not at all."""
    atomic_write = path.with_name(f".{path.name}.tmp")
    with atomic_write.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows({at: _short(value) for at, value in asdict(row).items()} for row in rows)
    atomic_write.replace(path)


def _short(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def options_of(about: str, *, repeats: int) -> argparse.ArgumentParser:
    """What is measured, as options that benchmarks of steps have in common."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--backbones", nargs="+", suggest=list(BY_HAND), default=list(BY_HAND))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=96, help="pixels a side")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=repeats, help="turns of each contestant")
    parser.add_argument("--each", type=int, default=1, help="steps a turn")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    return parser


def print_circumstances(options: argparse.Namespace, device: torch.device) -> None:
    """One line of where and on what these options measure."""
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, "
        f"{options.size} px, batch {options.batch}, {options.repeats} turns of {options.each}"
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = options_of(__doc__.splitlines()[0], repeats=25)
    parser.add_argument("--bf16", action="store_true", help="autocast")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="count this process's time on the processor; for a CPU that others use too",
    )
    parser.add_argument("--quick", action="store_true", help="small and short")
    options = parser.parse_args()
    if options.quick:
        options.size, options.batch, options.repeats = 64, 4, 7
    return options


def main() -> None:
    """Measure, print and perhaps write."""
    options = parse()
    device = resolve_device(options.device)
    print_circumstances(options, device)
    print(
        f"{'backbone':24}{'plan':13}{'GFLOPs':>8}{'hand ms':>10}{'ours ms':>10}{'trainer':>10}"
        f"{'ours/h':>9}{'train/h':>9}{'memory':>9}"
    )
    rows = []
    for name in options.backbones:
        for row in measure(name, options, device):
            show(row)
            rows.append(row)
    middle = statistics.median(row.ours_ratio for row in rows)
    print(f"median of ours / hand over {len(rows)} rows: {middle:.3f}")
    if options.out is not None:
        write(rows, options.out)


if __name__ == "__main__":
    main()
