"""Boxes and scores from the outputs of the head, by tensor operations only."""

from __future__ import annotations

import torch
from torch import Tensor

from mtlsearch.plugin import Outputs

from ._grid import to_boxes


def predict(outputs: Outputs) -> dict[str, Tensor]:
    """Return boxes and scores at all points.

    Args:
        outputs: outputs of :class:`DetectionHead`.

    Returns:
        Float32, before non-maximum suppression: ``boxes`` ``[B, N, 4]``, xyxy in pixels, within
        the image, and ``scores`` ``[B, N, C]``.
    """
    boxes = to_boxes(outputs["raw_boxes"], outputs["grid"])
    size = outputs["size"].float()
    limit = torch.cat([size, size], dim=1)[:, None]
    clipped = torch.minimum(boxes.clamp(min=0), limit)
    return {"boxes": clipped, "scores": outputs["logits"].float().sigmoid()}
