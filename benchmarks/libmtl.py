"""One training in LibMTL and in mtlsearch: images per second, peak memory and metrics.

Run ``python benchmarks/libmtl.py RUN.yaml`` with LibMTL installed (``pip install --no-deps
LibMTL``); without it, the benchmark prints a message and ends. Both train the network of the
hard plan with equal loss weights and Adam, from the same initial weights, on the same batches
in memory, and evaluate with the same meters after every epoch. They take turns. ``ours`` uses
float32 as LibMTL does, with channels last. On a GPU, ``default`` uses the defaults of a run
file. Memory is the peak of training on two batches and evaluating one.

LibMTL requires one tensor per task and a label for every image. Tasks whose head returns
several tensors (boxes) and batches with missing labels are excluded. Two differences remain:

* The learning rate follows half a cosine in mtlsearch and is constant in LibMTL.
* LibMTL also evaluates training batches. The benchmark disables this.

LibMTL 1.1.5 trains on ``cuda:0`` only, requires iterators with a method ``next`` and imports a
module that torchvision has removed. The benchmark provides these.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import io
import os
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
from step import median_ratio, peak_memory, synchronize
from torch import Tensor, nn

from mtlsearch.config import RunConfig, TrainConfig, load_run
from mtlsearch.models import CutBackbone, MultiTaskNetwork
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
class BatchesInMemory:
    """Batches in memory, the same in every epoch.

    Attributes:
        train: batches for training.
        val: batches for evaluation.
    """

    train: list[Batch]
    val: list[Batch]

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Batch]:
        """Iterate over the training batches."""
        return iter(self.train)

    def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        """Iterate over the validation batches."""
        return iter(self.val)

    def size(self, split: str) -> int:
        """Return the number of images of a split."""
        return sum(len(batch.images) for batch in (self.train if split == "train" else self.val))

    def train_steps(self, batch_size: int) -> int:
        """Return the number of batches per epoch."""
        return len(self.train)


@dataclass(frozen=True)
class Workload:
    """Training that both libraries run.

    Attributes:
        config: the run file.
        tasks: tasks by name.
        build: returns the network with its initial weights.
        data: the batches.
        epochs: number of epochs.
        device: device to train on.
    """

    config: RunConfig
    tasks: dict[str, Task]
    build: Callable[[], MultiTaskNetwork]
    data: BatchesInMemory
    epochs: int
    device: torch.device

    def label(self, task: str) -> str:
        """Return the label that a task learns."""
        return self.config.label_of(task)


def prepare(options: argparse.Namespace, device: torch.device) -> Workload:
    """Open the run and read its batches."""
    loaded = load_run(options.run, options.set, env=os.environ)
    config, seed = loaded.config, loaded.config.seed
    resolved = build_registry(config.plugins).resolve(loaded)
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder))
        session: Session = open_session(resolved, directory, device=device, progress=NullProgress())
    cut = next(iter(session.evaluator.cut_backbones.values()))
    tasks = select_tasks(session, cut, seed)
    labels = [config.label_of(task) for task in tasks]
    batch_size = config.train.batch_size
    data = BatchesInMemory(
        read_batches(session.data.train_batches(0, batch_size), labels, options.batches),
        read_batches(session.data.eval_batches("val", batch_size), labels, options.batches),
    )
    plan = SharingPlan.hard(sorted(tasks), len(cut.units))

    def build() -> MultiTaskNetwork:
        return MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, seed))

    return Workload(config, tasks, build, data, options.epochs, device)


def select_tasks(session: Session, cut: CutBackbone, seed: int) -> dict[str, Task]:
    """Return the tasks whose head returns a single tensor."""
    task_by_name = session.evaluator.task_by_name
    heads = seeded_heads(task_by_name, cut.features, seed)
    levels = [
        torch.zeros(2, level.channels, *size)
        for level, size in zip(cut.features.levels, cut.features.sizes, strict=True)
    ]
    tasks = {
        name: task for name, task in task_by_name.items() if len(heads[name].eval()(levels)) == 1
    }
    if not tasks:
        raise SystemExit("no task of this run has a head that returns a single tensor")
    return tasks


def read_batches(batches: Iterator[Batch], labels: Sequence[str], max_batches: int) -> list[Batch]:
    """Read batches in which every image has every label."""
    complete = []
    for batch in batches:
        num_labels = {
            len(batch.targets[label].rows) if label in batch.targets else 0 for label in labels
        }
        if num_labels == {len(batch.images)}:
            complete.append(batch)
        if len(complete) == max_batches:
            break
    if not complete:
        raise SystemExit("no batch has all labels for all of its images")
    return complete


def train_ours(workload: Workload, **settings: Any) -> Metrics:
    """Train with :func:`mtlsearch.training.train`; settings of ``train`` override float32."""
    train_config = TrainConfig(
        epochs=workload.epochs,
        batch_size=workload.config.train.batch_size,
        optimizer="adamw",
        weight_decay=0,
        warmup=0,
        clip_norm=None,
        **{"precision": "fp32"} | settings,
    )
    job = TrainJob(
        network=workload.build(),
        tasks=workload.tasks,
        data=workload.data,
        config=resolve_train_config(train_config, workload.config.data.image_size, workload.device),
        label_by_task={task: workload.label(task) for task in workload.tasks},
        loss_weights=dict.fromkeys(workload.tasks, 1.0),
        learning_rate=workload.config.train.learning_rate,
        device=workload.device,
        seed=workload.config.seed,
    )
    return {task: list(values.values()) for task, values in train(job).metrics.items()}


def train_libmtl(workload: Workload) -> Metrics:
    """Train with LibMTL's trainer, hard parameter sharing and equal weighting."""
    _provide_removed_torchvision_module()
    from LibMTL import Trainer
    from LibMTL.architecture import HPS
    from LibMTL.loss import AbsLoss
    from LibMTL.metrics import AbsMetric
    from LibMTL.weighting import EW

    network = workload.build()
    trainer: Any = None
    metrics_by_task: Metrics = {}

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

    decoders = nn.ModuleDict({task: Decoder(network.head(task)) for task in workload.tasks})

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
            metrics_by_task[self.task.name] = values
            return values

        def reinit(self) -> None:
            self.meter = self.task.meter()

    class OnDevice(Trainer):
        @property
        def device(self) -> torch.device:
            return workload.device

        @device.setter
        def device(self, value: torch.device) -> None:
            """Ignore the device that LibMTL sets, always ``cuda:0``."""

    with contextlib.redirect_stdout(io.StringIO()):
        trainer = OnDevice(
            task_dict={
                name: {
                    "metrics": [metric.name for metric in task.metrics],
                    "metrics_fn": Score(task),
                    "loss_fn": Loss(task),
                    "weight": [int(metric.higher_is_better) for metric in task.metrics],
                }
                for name, task in workload.tasks.items()
            },
            weighting=EW,
            architecture=HPS,
            encoder_class=Encoder,
            decoders=decoders,
            rep_grad=False,
            multi_input=False,
            optim_param={"optim": "adam", "lr": workload.config.train.learning_rate},
            scheduler_param=None,
            weight_args={},
            arch_args={},
        )
        trainer.train(
            LibMTLLoader(workload, workload.data.train),
            LibMTLLoader(workload, workload.data.val),
            workload.epochs,
        )
    return metrics_by_task


def _provide_removed_torchvision_module() -> None:
    """Provide a module of torchvision that LibMTL 1.1.5 imports and does not use here."""
    name = "torchvision.models.utils"
    if name not in sys.modules and importlib.util.find_spec(name) is None:
        module = types.ModuleType(name)
        module.load_state_dict_from_url = torch.hub.load_state_dict_from_url  # type: ignore[attr-defined]
        sys.modules[name] = module


@dataclass(frozen=True)
class LibMTLLoader:
    """Batches in the form of LibMTL: images and one tensor per task.

    Attributes:
        workload: the training.
        batches: the batches.
    """

    workload: Workload
    batches: list[Batch]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> OldIterator:
        return OldIterator(map(self._convert, self.batches))

    def _convert(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        targets = {
            task: batch.targets[self.workload.label(task)].values for task in self.workload.tasks
        }
        return batch.images, targets


class OldIterator:
    """Iterator with a method ``next``, as in Python 2."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items

    def __next__(self) -> Any:
        return next(self._items)

    next = __next__


def time_training(
    train_with: Callable[[Workload], Metrics], workload: Workload
) -> tuple[float, Metrics]:
    """Return the seconds and the metrics of one training."""
    gc.collect()
    synchronize(workload.device)
    start = time.perf_counter()
    metrics = train_with(workload)
    synchronize(workload.device)
    return time.perf_counter() - start, metrics


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a run file, such as examples/nyuv2.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batches", type=int, default=20, help="maximum batches per split")
    parser.add_argument("--repeats", type=int, default=3, help="trainings per variant")
    parser.add_argument("--compile", action="store_true", help="add a variant with torch.compile")
    return parser.parse_args()


def list_variants(
    device: torch.device, *, with_compile: bool
) -> dict[str, Callable[[Workload], Metrics]]:
    """Return the training functions to compare, LibMTL first."""
    variants: dict[str, Callable[[Workload], Metrics]] = {
        "LibMTL": train_libmtl,
        "ours": train_ours,
    }
    if device.type == "cuda":
        variants["any kernels"] = partial(train_ours, deterministic=False)
        variants["default"] = partial(train_ours, precision="auto")
        variants["fastest"] = partial(train_ours, precision="auto", deterministic=False)
    if with_compile:
        variants["compiled"] = partial(train_ours, precision="auto", compile=True)
    return variants


def measure_memory(
    variants: dict[str, Callable[[Workload], Metrics]], workload: Workload
) -> dict[str, float]:
    """Return the peak memory of each variant in MiB, after one unmeasured training.

    The first training imports and allocates. From the second step on, the optimizer has its
    state, so two batches need as much memory as more.
    """
    data = BatchesInMemory(workload.data.train[:2], workload.data.val[:1])
    small = replace(workload, epochs=1, data=data)
    memory = {}
    for name, train_with in variants.items():
        train_with(small)
        memory[name] = peak_memory(partial(train_with, small), workload.device)
    return memory


def main() -> None:
    """Train in turns and print both results."""
    options = parse()
    if importlib.util.find_spec("LibMTL") is None:
        print("LibMTL is not installed: pip install --no-deps LibMTL")
        return
    workload = prepare(options, resolve_device(options.device))
    num_images = workload.epochs * (workload.data.size("train") + workload.data.size("val"))
    print(
        f"torch {torch.__version__}, {workload.device}, {torch.get_num_threads()} threads, "
        f"{', '.join(workload.tasks)}, {workload.epochs} epochs of "
        f"{len(workload.data.train)} batches"
    )
    variants = list_variants(workload.device, with_compile=options.compile)
    memory = measure_memory(variants, workload)
    seconds_by_variant: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(options.repeats):
        for name, train_with in variants.items():
            seconds, metrics = time_training(train_with, workload)
            seconds_by_variant[name].append(seconds)
            texts = [
                f"{task} {' '.join(f'{value:.4f}' for value in values)}"
                for task, values in sorted(metrics.items())
            ]
            print(
                f"{name:12}{num_images / seconds:9.1f} images/s{memory[name]:9.0f} MiB  "
                f"{'  '.join(texts)}",
                flush=True,
            )
    for name in list(variants)[1:]:
        ratio = median_ratio(seconds_by_variant["LibMTL"], seconds_by_variant[name])
        print(f"speed of {name} relative to LibMTL, median: {ratio:.3f}")


if __name__ == "__main__":
    main()
