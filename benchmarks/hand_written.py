"""Multi-task networks written by hand, without the sharing code of mtlsearch.

The baseline that :mod:`step` compares with. Each backbone family is taken apart by attribute
name. Tracing in :mod:`mtlsearch.models` makes this unnecessary.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Outputs


class VitStem(nn.Module):
    """Patch embedding, class token and position embedding of a plain ViT."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.patch_embed = model.patch_embed
        self.cls_token = model.cls_token
        self.pos_embed = model.pos_embed

    def forward(self, images: Tensor) -> Tensor:
        """Return tokens ``[B, 1 + n, C]`` of images ``[B, 3, H, W]``."""
        tokens = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        return tokens + self.pos_embed


def identity(value: Tensor) -> Tensor:
    """Return a feature map unchanged."""
    return value


def tokens_to_map(tokens: Tensor) -> Tensor:
    """Return tokens ``[B, 1 + n * n, C]`` as a feature map ``[B, C, n, n]``."""
    patches = tokens[:, 1:]
    side = int(patches.shape[1] ** 0.5)
    return patches.reshape(len(tokens), side, side, -1).permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True)
class ManualCut:
    """Units and feature levels of one timm model, listed by hand.

    Attributes:
        list_units: returns the module of each unit, the first at the image.
        levels: indices of the units whose output is a feature level.
        to_map: converts the output of a unit to a feature level ``[B, C, h, w]``.
    """

    list_units: Callable[[nn.Module], list[nn.Module]]
    levels: tuple[int, ...]
    to_map: Callable[[Tensor], Tensor] = identity


CUT_BY_BACKBONE = {
    "resnet18": ManualCut(
        lambda model: [
            nn.Sequential(model.conv1, model.bn1, model.act1, model.maxpool),
            model.layer1,
            model.layer2,
            model.layer3,
            model.layer4,
        ],
        (1, 2, 3, 4),
    ),
    "mobilenetv3_small_050": ManualCut(
        lambda model: [nn.Sequential(model.conv_stem, model.bn1), *model.blocks], (1, 2, 4, 6)
    ),
    "vit_tiny_patch16_224": ManualCut(
        lambda model: [VitStem(model), *model.blocks], (3, 6, 9, 12), to_map=tokens_to_map
    ),
    "convnext_atto": ManualCut(lambda model: [model.stem, *model.stages], (1, 2, 3, 4)),
}


class HandWrittenNetwork(nn.Module):
    """Multi-task network of a sharing plan, written without a library.

    Args:
        template: the timm model that provides the initial weights of every copy.
        plan: which tasks share which units.
        cut: units and feature levels of the model.
        heads: one head per task.
    """

    def __init__(
        self, template: nn.Module, plan: SharingPlan, cut: ManualCut, heads: dict[str, nn.Module]
    ) -> None:
        super().__init__()
        self.plan, self.cut = plan, cut
        copies = [cut.list_units(copy.deepcopy(template)) for _ in plan.tasks]
        self.units = nn.ModuleList(
            nn.ModuleList(copies[index][unit] for index in range(num_copies))
            for unit, num_copies in enumerate(plan.copies)
        )
        self.heads = nn.ModuleDict(heads)

    def forward(self, images: Tensor) -> dict[str, Outputs]:
        """Return the outputs of every task for images ``[B, 3, H, W]``."""
        value_by_group: dict[int, Tensor] = {0: images}
        previous_row = (0,) * len(self.plan.tasks)
        levels_by_task: dict[str, list[Tensor]] = {task: [] for task in self.plan.tasks}
        for unit, (row, copies) in enumerate(zip(self.plan.rows, self.units, strict=True)):
            source_by_group = dict(zip(row, previous_row, strict=True))
            value_by_group = {
                group: copies[group](value_by_group[source])
                for group, source in source_by_group.items()
            }
            if unit in self.cut.levels:
                maps = {group: self.cut.to_map(value) for group, value in value_by_group.items()}
                for task, group in zip(self.plan.tasks, row, strict=True):
                    levels_by_task[task].append(maps[group])
            previous_row = row
        return {task: self.heads[task](levels_by_task[task]) for task in self.plan.tasks}
