"""What the tensors that a task exports mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtlsearch.labels import Form


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """How to read a task's exported tensors; written into the bundle's JSON.

    The tensors, by form (``B`` images, ``C`` classes, ``H x W`` the network's input):

    ============  =======================================================================
    CATEGORY      ``scores`` [B, C], probabilities that sum to 1
    CATEGORIES    ``scores`` [B, C], independent probabilities
    BOXES         ``boxes`` [B, N, 4] xyxy in input pixels, ``scores`` [B, N, C], before NMS
    MASK          ``scores`` [B, C, H, W], probabilities or logits (the largest wins)
    MAP           ``values`` [B, K, H, W]
    ============  =======================================================================

    Attributes:
        form: the form of the prediction.
        classes: class names by index.
        unit: unit of a map's numbers.
        options: numbers that decoding needs, such as ``score_threshold``,
            ``iou_threshold`` and ``max_detections`` for boxes, ``score_threshold``
            for categories.
    """

    form: Form
    classes: tuple[str, ...] = ()
    unit: str = ""
    options: Mapping[str, float] = field(default_factory=dict)
