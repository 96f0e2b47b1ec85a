"""Micro batches: parts of a batch, each small enough for the device."""

from __future__ import annotations

from itertools import pairwise

import torch

from mtlsearch.plugin import Batch, Targets


def micro_batches(batch: Batch, count: int) -> list[Batch]:
    """Split a batch into micro batches whose sizes differ by at most one image.

    The targets of a micro batch contain only labels that at least one of its images carries,
    as the targets of a whole batch do.

    Args:
        batch: the batch, B images.
        count: number of micro batches; limited to the range from 1 to B.

    Returns:
        The micro batches, in the order of the images.
    """
    size = len(batch.images)
    count = max(1, min(count, size))
    if count == 1:
        return [batch]
    bounds = [size * index // count for index in range(count + 1)]
    bounds_tensor = torch.tensor(bounds)
    row_bounds = {
        label: torch.searchsorted(targets.rows, bounds_tensor.to(targets.rows.device)).tolist()
        for label, targets in batch.targets.items()
    }
    return [
        Batch(
            batch.images[start:stop],
            {
                label: Targets(targets.rows[first:last] - start, targets.values[first:last])
                for label, targets in batch.targets.items()
                for first, last in [row_bounds[label][index : index + 2]]
                if first < last
            },
        )
        for index, (start, stop) in enumerate(pairwise(bounds))
    ]
