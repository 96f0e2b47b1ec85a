"""Prepared samples to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlsearch.data._prepared import Prepared, PreparedLabel
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import Batch, BoxTargets, Targets, TargetValues


@dataclass(frozen=True, slots=True)
class Collate:
    """Stacks samples of one size; a label goes in with those samples that carry it.

    Args:
        labels: all labels of the run.
        mean: what the backbone expects subtracted, a number a channel, in parts of 255.
        std: what it expects to be divided by, after that.
    """

    labels: Mapping[str, LabelSpec]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, samples: Sequence[Prepared]) -> Batch:
        """One batch of ``B`` samples."""
        images = torch.stack([sample.image for sample in samples])
        targets: dict[str, Targets] = {}
        for name, spec in self.labels.items():
            rows = [row for row, sample in enumerate(samples) if name in sample.labels]
            if rows:
                values = [samples[row].labels[name] for row in rows]
                targets[name] = Targets(torch.tensor(rows), _stack(spec, values))
        return Batch(self.normalise(images), targets)

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 ``[B, 3, H, W]`` to float32, scaled to 0..1 and normalised."""
        mean, std = (torch.tensor(part).view(1, -1, 1, 1) for part in (self.mean, self.std))
        return (images.float() / 255 - mean) / std


def _stack(spec: LabelSpec, values: Sequence[PreparedLabel]) -> TargetValues:
    if spec.form is Form.BOXES:
        return tuple(value for value in values if isinstance(value, BoxTargets))
    if spec.form is Form.CATEGORIES:
        hot = torch.zeros(len(values), len(spec.classes))
        for row, value in enumerate(values):
            if isinstance(value, tuple) and value:
                hot[row, list(value)] = 1.0
        return hot
    if spec.form is Form.CATEGORY:
        return torch.tensor(values)
    planes = torch.stack([value for value in values if isinstance(value, Tensor)])
    return planes.long() if spec.form is Form.MASK else planes
