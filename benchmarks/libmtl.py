"""The same training in LibMTL and in ours: images a second, peak memory and metrics.

Run ``python benchmarks/libmtl.py RUN.yaml`` with LibMTL beside this package
(``pip install --no-deps LibMTL``); without it, it says so and ends. Both train the network of
the hard plan with equal weights and Adam, from the same weights, on the same batches held in
memory, and measure it after every epoch with the same meters. They take turns. ``ours``
computes in float32 as LibMTL does, with channels last; on a GPU ``default`` as a run file
without a word on it. Memory is the peak of training on two batches and measuring one.

LibMTL takes one tensor a task and a label for every image, so tasks whose head gives several
tensors (boxes) are left out, and so are batches with missing labels. What differs: our rate
follows half a cosine, LibMTL's stays; and LibMTL measures training batches too, which is
spared it here. Its release 1.1.5 trains on ``cuda:0`` alone, takes iterators as Python 2 had
them and imports a module that torchvision no longer has; all this is made up for here.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import io
import os
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from step import peak_memory, wait
from torch import Tensor, nn

from mtlsearch.config import RunConfig, TrainConfig, load_run
from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Batch, Task
from mtlsearch.registry import build_registry
from mtlsearch.runs import Session, open_session
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory
from mtlsearch.training import (
    TrainJob,
    resolve_device,
    resolve_train_config,
    seeded_heads,
    train,
)

Metrics = dict[str, list[float]]


@dataclass(frozen=True)
class Held:
    """Batches in memory, the same for both and in every epoch."""

    train: list[Batch]
    val: list[Batch]

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Batch]:
        """All of them."""
        return iter(self.train)

    def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        """All of them."""
        return iter(self.val)

    def size(self, split: str) -> int:
        """Images of a split."""
        return sum(len(batch.images) for batch in (self.train if split == "train" else self.val))

    def train_steps(self, batch_size: int) -> int:
        """Batches of an epoch."""
        return len(self.train)


@dataclass(frozen=True)
class Work:
    """What both have to do."""

    config: RunConfig
    tasks: dict[str, Task]
    build: Callable[[], MultiTaskNetwork]
    data: Held
    epochs: int
    device: torch.device

    def label(self, task: str) -> str:
        """The label that a task learns."""
        return self.config.label_of(task)


def prepare(options: argparse.Namespace, device: torch.device) -> Work:
    """Open the run and hold its batches."""
    loaded = load_run(options.run, options.set, env=os.environ)
    resolved = build_registry(loaded.config.plugins).resolve(loaded)
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder))
        session: Session = open_session(resolved, directory, device=device, progress=NullProgress())
    cut = next(iter(session.evaluator.cut_backbones.values()))
    heads = seeded_heads(session.evaluator.task_by_name, cut.features, loaded.config.seed)
    levels = [
        torch.zeros(2, level.channels, *shape)
        for level, shape in zip(cut.features.levels, cut.features.shapes, strict=True)
    ]
    tasks = {
        name: task
        for name, task in session.evaluator.task_by_name.items()
        if len(heads[name].eval()(levels)) == 1
    }
    if not tasks:
        raise SystemExit("no task of this run gives a single tensor")
    labels = [loaded.config.label_of(task) for task in tasks]
    size = loaded.config.train.batch_size
    held = Held(
        _whole(session.data.train_batches(0, size), labels, options.batches),
        _whole(session.data.eval_batches("val", size), labels, options.batches),
    )
    plan = SharingPlan.hard(sorted(tasks), len(cut.units))

    def build() -> MultiTaskNetwork:
        return MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, loaded.config.seed))

    return Work(loaded.config, tasks, build, held, options.epochs, device)


def _whole(batches: Iterator[Batch], labels: Sequence[str], most: int) -> list[Batch]:
    """Up to ``most`` batches in which every image has every label."""
    found = []
    for batch in batches:
        counts = [len(batch.targets[at].rows) if at in batch.targets else 0 for at in labels]
        if set(counts) == {len(batch.images)}:
            found.append(batch)
        if len(found) == most:
            break
    if not found:
        raise SystemExit("no batch has all labels for all of its images")
    return found


def train_ours(work: Work, **suggest: Any) -> Metrics:
    """By :func:`mtlsearch.training.train`: in float32, and whatever else it is told."""
    settings = TrainConfig(
        epochs=work.epochs,
        batch_size=work.config.train.batch_size,
        optimizer="adamw",
        weight_decay=0,
        warmup=0,
        clip_norm=None,
        **{"precision": "fp32"} | suggest,
    )
    job = TrainJob(
        network=work.build(),
        tasks=work.tasks,
        data=work.data,
        config=resolve_train_config(settings, work.config.data.image_size, work.device),
        label_by_task={task: work.label(task) for task in work.tasks},
        loss_weights=dict.fromkeys(work.tasks, 1.0),
        learning_rate=work.config.train.learning_rate,
        device=work.device,
        seed=work.config.seed,
    )
    return {task: list(values.values()) for task, values in train(job).metrics.items()}


def train_libmtl(work: Work) -> Metrics:
    """By LibMTL's trainer, with HPS and equal weighting."""
    _supply_old_torchvision()
    from LibMTL import Trainer
    from LibMTL.architecture import HPS
    from LibMTL.loss import AbsLoss
    from LibMTL.metrics import AbsMetric
    from LibMTL.weighting import EW

    network = work.build()
    trainer: Any = None
    last: Metrics = {}

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbones = network.backbones

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            first = network.tasks[0]
            return tuple(self.backbones(images, [first])[first])

    class Decoder(nn.Module):
        def __init__(self, head: nn.Module) -> None:
            super().__init__()
            self.head = head

        def forward(self, levels: tuple[Tensor, ...]) -> Tensor:
            ((self.name, value),) = self.head(list(levels)).items()
            return value

    decoders = nn.ModuleDict({task: Decoder(network.head(task)) for task in work.tasks})

    class Loss(AbsLoss):
        def __init__(self, task: Task) -> None:
            super().__init__()
            self.task = task

        def compute_loss(self, pred: Tensor, gt: Tensor) -> Tensor:
            return self.task.loss({decoders[self.task.name].name: pred}, gt)

    class Score(AbsMetric):
        def __init__(self, task: Task) -> None:
            super().__init__()
            self.task, self.meter = task, task.meter()

        def update_fun(self, pred: Tensor, gt: Tensor) -> None:
            if not trainer.model.training:
                self.meter.update({decoders[self.task.name].name: pred}, gt)

        def score_fun(self) -> list[float]:
            values = [float(value) for value in self.meter.compute().values()]
            last[self.task.name] = values
            return values

        def reinit(self) -> None:
            self.meter = self.task.meter()

    class OnDevice(Trainer):
        @property
        def device(self) -> torch.device:
            return work.device

        @device.setter
        def device(self, value: torch.device) -> None:
            """Where LibMTL wants to train: always ``cuda:0``."""

    with contextlib.redirect_stdout(io.StringIO()):
        trainer = OnDevice(
            task_dict={
                name: {
                    "metrics": [at.name for at in task.metrics],
                    "metrics_fn": Score(task),
                    "loss_fn": Loss(task),
                    "weight": [int(at.higher_is_better) for at in task.metrics],
                }
                for name, task in work.tasks.items()
            },
            weighting=EW,
            architecture=HPS,
            encoder_class=Encoder,
            decoders=decoders,
            rep_grad=False,
            multi_input=False,
            optim_param={"optim": "adam", "lr": work.config.train.learning_rate},
            scheduler_param=None,
            weight_args={},
            arch_args={},
        )
        trainer.train(Loader(work, work.data.train), Loader(work, work.data.val), work.epochs)
    return last


def _supply_old_torchvision() -> None:
    """What LibMTL 1.1.5 imports of torchvision and does not use here."""
    name = "torchvision.models.utils"
    if name not in sys.modules and importlib.util.find_spec(name) is None:
        module = types.ModuleType(name)
        module.load_state_dict_from_url = torch.hub.load_state_dict_from_url  # type: ignore[attr-defined]
        sys.modules[name] = module


@dataclass(frozen=True)
class Loader:
    """Batches as LibMTL takes them: images and a tensor a task."""

    work: Work
    batches: list[Batch]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Turn:
        return Turn(
            (batch.images, {task: batch.targets[self.work.label(task)].values for task in tasks})
            for tasks in [self.work.tasks]
            for batch in self.batches
        )


class Turn:
    """An iterator that may be asked in the old way as well."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items

    def __next__(self) -> Any:
        return next(self._items)

    next = __next__


def seconds_of(contestant: Callable[[Work], Metrics], work: Work) -> tuple[float, Metrics]:
    """Seconds and metrics of one training."""
    gc.collect()
    wait(work.device)
    began = time.perf_counter()
    metrics = contestant(work)
    wait(work.device)
    return time.perf_counter() - began, metrics


def main() -> None:
    """Train by turns and print both side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a run file, such as examples/nyuv2.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batches", type=int, default=20, help="most batches of each split")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well")
    options = parser.parse_args()
    if importlib.util.find_spec("LibMTL") is None:
        print("LibMTL is not installed: pip install --no-deps LibMTL")
        return
    work = prepare(options, resolve_device(options.device))
    images = work.epochs * (work.data.size("train") + work.data.size("val"))
    print(
        f"torch {torch.__version__}, {work.device}, {torch.get_num_threads()} threads, "
        f"{', '.join(work.tasks)}, {work.epochs} epochs of {len(work.data.train)} batches"
    )
    turns: dict[str, Callable[[Work], Metrics]] = {"LibMTL": train_libmtl, "ours": train_ours}
    if work.device.type == "cuda":
        turns["any kernels"] = partial(train_ours, deterministic=False)
        turns["default"] = partial(train_ours, precision="auto")
        turns["fastest"] = partial(train_ours, precision="auto", deterministic=False)
    if options.compile:
        turns["compiled"] = partial(train_ours, precision="auto", compile=True)
    # Imports and first allocations are nobody's speed. From the second step on, when the
    # optimizer has its state, a batch takes as much memory as many.
    least = replace(work, epochs=1, data=Held(work.data.train[:2], work.data.val[:1]))
    memory = {}
    for name, contestant in turns.items():
        contestant(least)
        memory[name] = peak_memory(partial(contestant, least), work.device)
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(options.repeats):
        for name, contestant in turns.items():
            took, metrics = seconds_of(contestant, work)
            seconds[name].append(took)
            shown = "  ".join(
                f"{task} {' '.join(f'{value:.4f}' for value in values)}"
                for task, values in sorted(metrics.items())
            )
            print(
                f"{name:12}{images / took:9.1f} images/s{memory[name]:9.0f} MiB  {shown}",
                flush=True,
            )
    for name in list(turns)[1:]:
        ratios = [a / b for a, b in zip(seconds["LibMTL"], seconds[name], strict=True)]
        print(f"speed of {name} / LibMTL's, median: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
