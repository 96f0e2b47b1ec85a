"""Random labels of every form."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import BoxTargets, TargetValues

Size = tuple[int, int]

_BLOCKS = 4


def random_targets(
    label: LabelSpec, count: int, image_size: Size, generator: Generator
) -> TargetValues:
    """Labels as a batch has them, drawn from a generator.

    Among four or more images with boxes one has none and one has a crowd region; masks are
    of blocks, one of them void where ``ignore_index`` is no class; maps are smooth and lie
    in 0.5 .. 8.

    Args:
        label: form and classes.
        count: of how many samples.
        image_size: ``(height, width)`` in pixels.
        generator: decides.
    """
    return _FACTORIES[label.form](label, count, image_size, generator)


def _category(label: LabelSpec, count: int, _: Size, generator: Generator) -> TargetValues:
    return torch.randint(len(label.classes), (count,), generator=generator)


def _categories(label: LabelSpec, count: int, _: Size, generator: Generator) -> TargetValues:
    return torch.randint(2, (count, len(label.classes)), generator=generator).float()


def _boxes(label: LabelSpec, count: int, size: Size, generator: Generator) -> TargetValues:
    found = []
    for at in range(count):
        number = 0 if at % 4 == 3 else int(torch.randint(1, 4, (), generator=generator))
        boxes = _some_boxes(len(label.classes), number, size, generator)
        boxes.crowd[1:] = at % 4 == 2
        found.append(boxes)
    return tuple(found)


def _some_boxes(classes: int, number: int, size: Size, generator: Generator) -> BoxTargets:
    """Boxes with sides from a fifth to a half of the image's."""
    limit = torch.tensor([float(size[1]), float(size[0])])
    sides = limit * (0.2 + 0.3 * torch.rand(number, 2, generator=generator))
    corner = (limit - sides) * torch.rand(number, 2, generator=generator)
    return BoxTargets(
        torch.cat([corner, corner + sides], dim=1),
        torch.randint(classes, (number,), generator=generator),
        torch.zeros(number, dtype=torch.bool),
    )


def _mask(label: LabelSpec, count: int, size: Size, generator: Generator) -> TargetValues:
    blocks = torch.randint(len(label.classes), (count, _BLOCKS, _BLOCKS), generator=generator)
    if not 0 <= label.ignore_index < len(label.classes):
        blocks[:, 0, 0] = label.ignore_index
    return F.interpolate(blocks[:, None].double(), size=size, mode="nearest")[:, 0].long()


def _map(label: LabelSpec, count: int, size: Size, generator: Generator) -> Tensor:
    coarse = torch.rand(count, label.channels, _BLOCKS, _BLOCKS, generator=generator)
    smooth = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return 0.5 * 16**smooth


_FACTORIES: dict[Form, Callable[[LabelSpec, int, Size, Generator], TargetValues]] = {
    Form.CATEGORY: _category,
    Form.CATEGORIES: _categories,
    Form.BOXES: _boxes,
    Form.MASK: _mask,
    Form.MAP: _map,
}
