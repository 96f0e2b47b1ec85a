"""A batch in parts, each small enough for the device."""

from __future__ import annotations

from itertools import pairwise

import torch

from mtlsearch.plugin import Batch, Targets


def micro_batches(batch: Batch, count: int) -> list[Batch]:
    """The batch in ``count`` parts that differ by one image at most, in order.

    A part without any image's label of a kind does not name that label, as is so of whole
    batches. A batch of fewer images than ``count`` comes in parts of one image.
    """
    size = len(batch.images)
    count = max(1, min(count, size))
    if count == 1:
        return [batch]
    bounds = [size * number // count for number in range(count + 1)]
    ends = torch.tensor(bounds)
    cuts = {
        label: torch.searchsorted(at.rows, ends.to(at.rows.device)).tolist()
        for label, at in batch.targets.items()
    }
    return [
        Batch(
            batch.images[start:stop],
            {
                label: Targets(at.rows[first:last] - start, at.values[first:last])
                for label, at in batch.targets.items()
                for first, last in [cuts[label][number : number + 2]]
                if first < last
            },
        )
        for number, (start, stop) in enumerate(pairwise(bounds))
    ]
