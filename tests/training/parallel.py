"""Trainings that processes do together: ``python -m tests.training.parallel FOLDER RANK``."""

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
from tests.training.fakes import CPU, Network, Points, config, guesses
from tests.training.pictures import Pictures, build, tasks

TASKS = ("a", "b", "c")
KINDS = ("few labels", "little memory", "short batch", "statistics", "distillation")


class Tight(Network):
    """A network whose process has memory for two images, once there are several processes."""

    tight = False

    def forward(self, images, tasks=None):
        if self.tight and len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images, tasks)


def trained(what: str, ranks: ProcessGroup) -> tuple[nn.Module, TrainingResult]:
    """One of :data:`KINDS`, trained for two epochs."""
    if what == "distillation":
        return taught(ranks)
    network = Tight(*TASKS)
    network.trunk[4] = nn.Identity()  # dropout is another in every process
    if what != "statistics":
        network.trunk[2] = nn.Identity()
    network.tight = what == "little memory" and ranks.rank == 1
    images = 9 if what == "short batch" else 24
    data = (
        Points(images=images, labels=TASKS, labelled={"b": range(2), "c": range(12, images)})
        if what != "short batch"
        else Points(images=images, labels=TASKS)
    )
    result = train(
        network,
        guesses(*TASKS),
        data,
        config(optimizer="sgd", learning_rate=0.1, clip_norm=0.5),
        labels_of={task: task for task in TASKS},
        loss_weights={"a": 1.0, "b": 0.5, "c": 2.0},
        learning_rate=0.1,
        device=CPU,
        seed=0,
        ranks=ranks,
    )
    return network, result


def taught(ranks: ProcessGroup) -> tuple[nn.Module, TrainingResult]:
    """Tasks that learn from each other's features, where few images have labels."""
    cut = cut_backbone("test_vit", (32, 32))  # no batch norm: images know nothing of each other
    network = build(cut, SharingPlan.from_splits(TASKS, [2, 2], len(cut.units)))
    disturb(list(network.parameters()), seed=1)  # at first, all copies are alike
    result = train(
        network,
        tasks(*TASKS),
        Pictures(labels=TASKS, labelled={"a": range(9), "b": range(2), "c": range(12, 24)}),
        config(optimizer="sgd", epochs=1),
        labels_of={task: task for task in TASKS},
        loss_weights=dict.fromkeys(TASKS, 1.0),
        learning_rate=0.1,
        device=CPU,
        seed=0,
        ranks=ranks,
        lesson=mutual_loss(network, 3.0),
    )
    return network, result


def main(folder: Path, rank: int) -> None:
    """Train everything with one other process and write what came of it."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2
    )
    for what in KINDS:
        network, result = trained(what, joined_process_group())
        torch.save((network.state_dict(), result), folder / f"{what}{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
