"""Boxes and scores from what the head returns, by tensor operations alone."""

from __future__ import annotations

import torch
from torch import Tensor

from mtlsearch.plugin import Outputs

from ._grid import to_boxes


def predict(outputs: Outputs) -> dict[str, Tensor]:
    """``boxes`` ``[B, N, 4]``, xyxy in pixels within the image, and ``scores`` ``[B, N, C]``."""
    boxes = to_boxes(outputs["raw_boxes"], outputs["grid"])
    size = outputs["size"].float()
    limit = torch.cat([size, size], dim=1)[:, None]
    inside = torch.minimum(boxes.clamp(min=0), limit)
    return {"boxes": inside, "scores": outputs["logits"].float().sigmoid()}
