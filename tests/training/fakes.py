"""A minimal network, tasks and data for tests of training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtlsearch.config import TrainConfig
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import (
    Batch,
    FeatureSpec,
    Metric,
    Outputs,
    OutputSpec,
    Settings,
    Targets,
    TargetValues,
    Task,
)
from mtlsearch.training import (
    EpochRecord,
    TrainingHooks,
    TrainingResult,
    TrainJob,
    train,
)

CPU = torch.device("cpu")
CLASSES = 3


class Accuracy:
    """Meter that counts correct predictions and keeps its targets."""

    def __init__(self) -> None:
        self.num_correct = 0
        self.seen: list[int] = []

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        assert isinstance(targets, Tensor)
        assert len(outputs["scores"]) == len(targets) > 0
        assert outputs["scores"].dtype == torch.float32
        self.seen += targets.tolist()
        self.num_correct += int((outputs["scores"].argmax(1) == targets).sum())

    def compute(self) -> Mapping[str, float]:
        return {"accuracy": self.num_correct / len(self.seen) if self.seen else float("nan")}


class Guess(Task):
    """Task kind that classifies a vector."""

    kind = "guess"
    summary = "classification of a vector"
    accepts = (Form.CATEGORY,)

    @property
    def metrics(self) -> Sequence[Metric]:
        return (Metric("accuracy", higher_is_better=True, primary=True),)

    @property
    def output(self) -> OutputSpec:
        return OutputSpec(Form.CATEGORY, tuple("xyz"))

    def build_head(self, features: FeatureSpec) -> nn.Module:
        return nn.Linear(features.levels[-1].channels, CLASSES)

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        assert isinstance(targets, Tensor)
        assert len(outputs["scores"]) == len(targets) > 0
        return F.cross_entropy(outputs["scores"], targets)

    def meter(self) -> Accuracy:
        return Accuracy()

    def predict(self, outputs: Outputs) -> Outputs:
        return outputs


def guesses(*names: str) -> dict[str, Task]:
    label = LabelSpec(Form.CATEGORY, ("x", "y", "z"))
    return {name: Guess(name, Settings(), label) for name in names}


class Network(nn.Module):
    """A shared trunk with BatchNorm and dropout, and one layer and one head per task."""

    def __init__(self, *tasks: str, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.trunk = nn.Sequential(
                nn.Flatten(), nn.Linear(48, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2)
            )
            self.layers = nn.ModuleDict({task: nn.Linear(16, 8) for task in tasks})
            self.heads = nn.ModuleDict({task: nn.Linear(8, CLASSES) for task in tasks})
        self.task_calls: list[tuple[str, ...]] = []

    def forward(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, dict[str, Tensor]]:
        chosen = tuple(self.heads) if tasks is None else tuple(tasks)
        self.task_calls.append(chosen)
        shared = self.trunk(images)
        return {task: {"scores": self.heads[task](self.layers[task](shared))} for task in chosen}


@dataclass
class Points:
    """Images ``[B, 3, 4, 4]`` whose mean determines their class; some labels can be missing.

    ``labeled`` maps a label to the indices of the images that carry it; by default, all do.
    ``corrupt_value`` replaces one pixel of every batch.
    """

    images: int = 24
    labels: tuple[str, ...] = ("a", "b")
    labeled: dict[str, range] = field(default_factory=dict)
    corrupt_value: float | None = None

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Batch]:
        order = torch.randperm(self.images, generator=torch.Generator().manual_seed(epoch))
        yield from self._batches(order.tolist(), batch_size)

    def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        assert split == "val"
        yield from self._batches(list(range(self.images)), batch_size)

    def size(self, split: str) -> int:
        return self.images

    def train_steps(self, batch_size: int) -> int:
        return -(-self.images // batch_size)

    def _batches(self, order: list[int], batch_size: int) -> Iterator[Batch]:
        for start in range(0, len(order), batch_size):
            yield self.batch(order[start : start + batch_size])

    def batch(self, indices: list[int]) -> Batch:
        generator = torch.Generator().manual_seed(7)
        noise = torch.randn(self.images, 3, 4, 4, generator=generator)
        classes = torch.arange(self.images) % CLASSES
        images = (noise + classes[:, None, None, None])[indices]
        if self.corrupt_value is not None:
            images[0, 0, 0, 0] = self.corrupt_value
        targets = {}
        for label in self.labels:
            carriers = self.labeled.get(label, range(self.images))
            rows = [row for row, index in enumerate(indices) if index in carriers]
            if rows:
                values = classes[indices][rows]
                targets[label] = Targets(torch.tensor(rows), values)
        return Batch(images, targets)


@dataclass
class RecordingHooks(TrainingHooks):
    """Hooks that keep the arguments of their calls."""

    steps: list[tuple[int, int, float]] = field(default_factory=list)
    epochs: list[tuple[EpochRecord, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def on_step(self, num_steps: int, total: int, loss: float) -> None:
        self.steps.append((num_steps, total, loss))

    def on_epoch(self, record: EpochRecord, total: int) -> None:
        self.epochs.append((record, total))

    def notify(self, text: str) -> None:
        self.notes.append(text)


def config(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate(
        {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, **changes}
    )


def make_job(
    network: nn.Module,
    tasks: Mapping[str, Task],
    data: Points,
    settings: TrainConfig | None = None,
    **changes: Any,
) -> TrainJob:
    """Return a job on the CPU with one label per task and loss weights of 1."""
    return TrainJob(
        **{
            "network": network,
            "tasks": tasks,
            "data": data,
            "config": settings or config(),
            "label_by_task": {name: name for name in tasks},
            "loss_weights": dict.fromkeys(tasks, 1.0),
            "learning_rate": 0.01,
            "device": CPU,
            "seed": 0,
            **changes,
        }
    )


def run(
    network: nn.Module,
    tasks: Mapping[str, Task],
    data: Points,
    settings: TrainConfig | None = None,
    *,
    hooks: TrainingHooks | None = None,
    **changes: Any,
) -> TrainingResult:
    """Train :func:`make_job` with these arguments."""
    job = make_job(network, tasks, data, settings, **changes)
    return train(job) if hooks is None else train(job, hooks)
