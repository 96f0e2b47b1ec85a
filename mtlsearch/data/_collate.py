"""Kept samples to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtlsearch.data._samples import PreparedLabel, PreparedSample
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import Batch, BoxTargets, Targets, TargetValues


def collate(samples: Sequence[PreparedSample], labels: Mapping[str, LabelSpec]) -> Batch:
    """Stacks samples of one size; a label goes in with those samples that carry it.

    Images are uint8 and masks as they are kept: what a network sees, :class:`BatchTransform` makes of
    them, where it is done fastest.

    Args:
        samples: one or more.
        labels: all labels of the run.
    """
    targets: dict[str, Targets] = {}
    for name, spec in labels.items():
        rows = [row for row, sample in enumerate(samples) if name in sample.labels]
        if rows:
            values = [samples[row].labels[name] for row in rows]
            targets[name] = Targets(torch.tensor(rows), _stack(spec, values))
    return Batch(torch.stack([sample.image for sample in samples]), targets)


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
    return torch.stack([value for value in values if isinstance(value, Tensor)])
