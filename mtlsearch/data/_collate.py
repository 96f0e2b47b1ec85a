"""Collation of prepared samples into a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtlsearch.data._samples import PreparedLabel, PreparedSample
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import Batch, BoxTargets, Targets, TargetValues


def collate(samples: Sequence[PreparedSample], labels: Mapping[str, LabelSpec]) -> Batch:
    """Stack samples of one size into a batch.

    Images stay uint8 and masks keep their dtype. :class:`BatchTransform` converts them on the
    device.

    Args:
        samples: one or more samples.
        labels: all labels of the run.

    Returns:
        The batch. Each label contains only the samples that have it.
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
        multi_hot = torch.zeros(len(values), len(spec.classes))
        for row, value in enumerate(values):
            if isinstance(value, tuple) and value:
                multi_hot[row, list(value)] = 1.0
        return multi_hot
    if spec.form is Form.CATEGORY:
        return torch.tensor(values)
    if spec.form is Form.NUMBER:
        return torch.tensor(values, dtype=torch.float32)
    return torch.stack([value for value in values if isinstance(value, Tensor)])
