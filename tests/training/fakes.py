"""The smallest network, tasks and data that training can work with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
from mtlsearch.training import BalancerConfig, Checkpointing, EpochRecord, TrainingResult, train

CPU = torch.device("cpu")
CLASSES = 3


class Accuracy:
    """Counts right answers; remembers what it was given."""

    def __init__(self) -> None:
        self.right = 0
        self.seen: list[int] = []

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        assert isinstance(targets, Tensor)
        assert len(outputs["scores"]) == len(targets) > 0
        assert outputs["scores"].dtype == torch.float32
        self.seen += targets.tolist()
        self.right += int((outputs["scores"].argmax(1) == targets).sum())

    def compute(self) -> Mapping[str, float]:
        return {"accuracy": self.right / len(self.seen) if self.seen else float("nan")}


class Guess(Task):
    """Classifies a vector."""

    kind = "guess"
    summary = "a guess"
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
    """A shared trunk with BatchNorm and dropout, an own layer and a head a task."""

    def __init__(self, *tasks: str, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.trunk = nn.Sequential(
                nn.Flatten(), nn.Linear(48, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2)
            )
            self.own = nn.ModuleDict({task: nn.Linear(16, 8) for task in tasks})
            self.heads = nn.ModuleDict({task: nn.Linear(8, CLASSES) for task in tasks})
        self.asked: list[tuple[str, ...]] = []

    def forward(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, dict[str, Tensor]]:
        chosen = tuple(self.heads) if tasks is None else tuple(tasks)
        self.asked.append(chosen)
        shared = self.trunk(images)
        return {task: {"scores": self.heads[task](self.own[task](shared))} for task in chosen}


@dataclass
class Points:
    """Images ``[B, 3, 4, 4]`` whose label is where their mean lies; some labels missing.

    ``labelled`` says for a label which images, by number, carry it; all by default.
    """

    images: int = 24
    labels: tuple[str, ...] = ("a", "b")
    labelled: dict[str, range] = field(default_factory=dict)
    spoil: float | None = None

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

    def batch(self, numbers: list[int]) -> Batch:
        generator = torch.Generator().manual_seed(7)
        noise = torch.randn(self.images, 3, 4, 4, generator=generator)
        classes = torch.arange(self.images) % CLASSES
        images = (noise + classes[:, None, None, None])[numbers]
        if self.spoil is not None:
            images[0, 0, 0, 0] = self.spoil
        targets = {}
        for label in self.labels:
            carriers = self.labelled.get(label, range(self.images))
            rows = [row for row, number in enumerate(numbers) if number in carriers]
            if rows:
                values = classes[numbers][rows]
                targets[label] = Targets(torch.tensor(rows), values)
        return Batch(images, targets)


@dataclass
class Watcher:
    """Remembers what it was told."""

    steps: list[tuple[int, int, float]] = field(default_factory=list)
    epochs: list[tuple[EpochRecord, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def step(self, done: int, total: int, loss: float) -> None:
        self.steps.append((done, total, loss))

    def epoch(self, record: EpochRecord, total: int) -> None:
        self.epochs.append((record, total))

    def note(self, text: str) -> None:
        self.notes.append(text)


def config(**changes: object) -> TrainConfig:
    given = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, **changes}
    return TrainConfig.model_validate(given)


def run(
    network: nn.Module,
    tasks: Mapping[str, Task],
    data: Points,
    settings: TrainConfig | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    rate: float = 0.01,
    progress: Watcher | None = None,
    pause: Checkpointing | None = None,
    balancer: BalancerConfig | None = None,
) -> TrainingResult:
    """Train with what a test does not care about filled in."""
    return train(
        network,
        tasks,
        data,
        settings or config(),
        labels_of={name: name for name in tasks},
        loss_weights=weights or dict.fromkeys(tasks, 1.0),
        learning_rate=rate,
        device=CPU,
        seed=seed,
        progress=progress,
        pause=pause,
        balancer=balancer,
    )
