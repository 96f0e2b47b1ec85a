"""Multi-task networks as one writes them by hand, without any of our code for sharing.

What :mod:`step` measures our networks against. Every family is taken apart by name, as
people do; that is what cutting by tracing saves them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Outputs


class VitStart(nn.Module):
    """Patches, class token and positions of a plain ViT."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.patch_embed = model.patch_embed
        self.cls_token = model.cls_token
        self.pos_embed = model.pos_embed

    def forward(self, images: Tensor) -> Tensor:
        """Tokens ``[B, 1 + n, C]`` of images ``[B, 3, H, W]``."""
        tokens = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        return tokens + self.pos_embed


def same(value: Tensor) -> Tensor:
    """A map as it is."""
    return value


def grid(tokens: Tensor) -> Tensor:
    """Tokens ``[B, 1 + n * n, C]`` as a map ``[B, C, n, n]``."""
    patches = tokens[:, 1:]
    side = int(patches.shape[1] ** 0.5)
    return patches.reshape(len(tokens), side, side, -1).permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True)
class Handwritten:
    """How a person would take a timm model apart.

    Attributes:
        parts: the modules of each unit, in order.
        levels: after which units a feature level is taken.
        as_map: what makes a level of a unit's output.
    """

    parts: Callable[[nn.Module], list[nn.Module]]
    levels: tuple[int, ...]
    as_map: Callable[[Tensor], Tensor] = same


BY_HAND = {
    "resnet18": Handwritten(
        lambda m: [
            nn.Sequential(m.conv1, m.bn1, m.act1, m.maxpool),
            m.layer1,
            m.layer2,
            m.layer3,
            m.layer4,
        ],
        (1, 2, 3, 4),
    ),
    "mobilenetv3_small_050": Handwritten(
        lambda m: [nn.Sequential(m.conv_stem, m.bn1), *m.blocks], (1, 2, 4, 6)
    ),
    "vit_tiny_patch16_224": Handwritten(
        lambda m: [VitStart(m), *m.blocks], (3, 6, 9, 12), as_map=grid
    ),
    "convnext_atto": Handwritten(lambda m: [m.stem, *m.stages], (1, 2, 3, 4)),
}


class ByHand(nn.Module):
    """The network of a plan as one writes it without a library.

    Args:
        template: the timm model whose weights every copy starts from.
        plan: which tasks share which units.
        how: how the model is taken apart.
        heads: one a task.
    """

    def __init__(
        self, template: nn.Module, plan: SharingPlan, how: Handwritten, heads: dict[str, nn.Module]
    ) -> None:
        super().__init__()
        self.plan, self.how = plan, how
        copies = [how.parts(copy.deepcopy(template)) for _ in plan.tasks]
        self.units = nn.ModuleList(
            nn.ModuleList(copies[number][unit] for number in range(count))
            for unit, count in enumerate(plan.copies)
        )
        self.heads = nn.ModuleDict(heads)

    def forward(self, images: Tensor) -> dict[str, Outputs]:
        """Every task's outputs for images ``[B, 3, H, W]``."""
        state: dict[int, Tensor] = {0: images}
        above = (0,) * len(self.plan.tasks)
        levels: dict[str, list[Tensor]] = {task: [] for task in self.plan.tasks}
        for unit, (row, copies) in enumerate(zip(self.plan.rows, self.units, strict=True)):
            source = dict(zip(row, above, strict=True))
            state = {group: copies[group](state[source[group]]) for group in source}
            if unit in self.how.levels:
                maps = {group: self.how.as_map(value) for group, value in state.items()}
                for task, group in zip(self.plan.tasks, row, strict=True):
                    levels[task].append(maps[group])
            above = row
        return {task: self.heads[task](levels[task]) for task in self.plan.tasks}
