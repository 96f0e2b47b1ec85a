"""Random labels of every form."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import BoxTargets, TargetValues

Size = tuple[int, int]

_NUM_BLOCKS = 4


def random_targets(
    label: LabelSpec, count: int, image_size: Size, generator: Generator
) -> TargetValues:
    """Return random labels of a form.

    Of four or more images with boxes, one has no box and one has crowds. Masks consist of
    blocks, one of which is void if ``ignore_index`` is not a class. Maps are smooth with values
    in 0.5 .. 8. Numbers are normally distributed, with the label's mean and standard deviation.

    Args:
        label: form and classes.
        count: number of samples.
        image_size: ``(height, width)`` in pixels.
        generator: source of the random numbers.

    Returns:
        Labels of ``count`` samples, in the type that the form prescribes.
    """
    return _FACTORIES[label.form](label, count, image_size, generator)


def _category(label: LabelSpec, count: int, _: Size, generator: Generator) -> TargetValues:
    return torch.randint(len(label.classes), (count,), generator=generator)


def _categories(label: LabelSpec, count: int, _: Size, generator: Generator) -> TargetValues:
    return torch.randint(2, (count, len(label.classes)), generator=generator).float()


def _boxes(label: LabelSpec, count: int, size: Size, generator: Generator) -> TargetValues:
    targets = []
    for sample in range(count):
        is_empty = sample % 4 == 3
        num_boxes = 0 if is_empty else int(torch.randint(1, 4, (), generator=generator))
        boxes = _some_boxes(len(label.classes), num_boxes, size, generator)
        boxes.crowd[1:] = sample % 4 == 2
        targets.append(boxes)
    return tuple(targets)


def _some_boxes(classes: int, num_boxes: int, size: Size, generator: Generator) -> BoxTargets:
    """Return boxes whose sides are 0.2 to 0.5 of the image's sides."""
    limit = torch.tensor([float(size[1]), float(size[0])])
    sides = limit * (0.2 + 0.3 * torch.rand(num_boxes, 2, generator=generator))
    corner = (limit - sides) * torch.rand(num_boxes, 2, generator=generator)
    return BoxTargets(
        torch.cat([corner, corner + sides], dim=1),
        torch.randint(classes, (num_boxes,), generator=generator),
        torch.zeros(num_boxes, dtype=torch.bool),
    )


def _mask(label: LabelSpec, count: int, size: Size, generator: Generator) -> TargetValues:
    shape = (count, _NUM_BLOCKS, _NUM_BLOCKS)
    blocks = torch.randint(len(label.classes), shape, generator=generator)
    if not 0 <= label.ignore_index < len(label.classes):
        blocks[:, 0, 0] = label.ignore_index
    return F.interpolate(blocks[:, None].double(), size=size, mode="nearest")[:, 0].long()


def _number(label: LabelSpec, count: int, _: Size, generator: Generator) -> TargetValues:
    mean = 0.0 if label.mean is None else label.mean
    std = 1.0 if label.std is None else label.std
    return mean + std * torch.randn(count, generator=generator)


def _map(label: LabelSpec, count: int, size: Size, generator: Generator) -> Tensor:
    coarse = torch.rand(count, label.channels, _NUM_BLOCKS, _NUM_BLOCKS, generator=generator)
    smooth = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return 0.5 * 16**smooth


_FACTORIES: dict[Form, Callable[[LabelSpec, int, Size, Generator], TargetValues]] = {
    Form.CATEGORY: _category,
    Form.CATEGORIES: _categories,
    Form.BOXES: _boxes,
    Form.MASK: _mask,
    Form.NUMBER: _number,
    Form.MAP: _map,
}
