"""Distributed trainings: ``python -m tests.training.parallel FOLDER RANK``."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import distributed, nn

from mtlsearch.models import cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.training import (
    ProcessGroup,
    TrainingResult,
    joined_process_group,
    mutual_loss,
    train,
)
from tests.models.heads import disturb
from tests.training.fakes import Network, Points, config, guesses, make_job
from tests.training.images import Images, build, tasks

TASKS = ("a", "b", "c")
SCENARIOS = ("few labels", "little memory", "short batch", "statistics", "distillation")


class LimitedNetwork(Network):
    """A network that can be limited to two images per forward pass."""

    is_limited = False

    def forward(self, images, tasks=None):
        if self.is_limited and len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images, tasks)


def train_scenario(scenario: str, process_group: ProcessGroup) -> tuple[nn.Module, TrainingResult]:
    """Train one of :data:`SCENARIOS`."""
    if scenario == "distillation":
        return train_with_distillation(process_group)
    network = LimitedNetwork(*TASKS)
    network.trunk[4] = nn.Identity()  # dropout differs between processes
    if scenario != "statistics":
        network.trunk[2] = nn.Identity()
    network.is_limited = scenario == "little memory" and process_group.rank == 1
    images = 9 if scenario == "short batch" else 24
    data = (
        Points(images=images, labels=TASKS, labeled={"b": range(2), "c": range(12, images)})
        if scenario != "short batch"
        else Points(images=images, labels=TASKS)
    )
    job = make_job(
        network,
        guesses(*TASKS),
        data,
        config(optimizer="sgd", learning_rate=0.1, clip_norm=0.5),
        loss_weights={"a": 1.0, "b": 0.5, "c": 2.0},
        learning_rate=0.1,
        process_group=process_group,
    )
    return network, train(job)


def train_with_distillation(process_group: ProcessGroup) -> tuple[nn.Module, TrainingResult]:
    """Train with mutual distillation on images of which few have labels."""
    cut = cut_backbone("test_vit", (32, 32))  # without BatchNorm, images are independent
    network = build(cut, SharingPlan.from_splits(TASKS, [2, 2], len(cut.units)))
    disturb(list(network.parameters()), seed=1)  # initially, all copies are equal
    job = make_job(
        network,
        tasks(*TASKS),
        Images(labels=TASKS, labeled={"a": range(9), "b": range(2), "c": range(12, 24)}),
        config(optimizer="sgd", epochs=1),
        learning_rate=0.1,
        process_group=process_group,
        auxiliary_loss=mutual_loss(network, 3.0),
    )
    return network, train(job)


def main(folder: Path, rank: int) -> None:
    """Train every scenario together with another process, and write the results."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=2
    )
    for scenario in SCENARIOS:
        network, result = train_scenario(scenario, joined_process_group())
        torch.save((network.state_dict(), result), folder / f"{scenario}{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
