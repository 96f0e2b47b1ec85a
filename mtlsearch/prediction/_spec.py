"""Specification of the tensors that a task exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtlsearch.labels import Form

COUNTS = frozenset({"candidates", "max_detections"})
"""Options that are numbers of boxes."""


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """Form, classes and decoding options of a task's exported tensors.

    A bundle's manifest contains it. The tensors by form (``B`` images, ``C`` classes, network
    input of ``H x W`` pixels):

    ============  =======================================================================
    CATEGORY      ``scores`` [B, C], probabilities that sum to 1
    CATEGORIES    ``scores`` [B, C], independent probabilities
    BOXES         ``boxes`` [B, N, 4] xyxy in input pixels, ``scores`` [B, N, C], before NMS
    MASK          ``scores`` [B, C, H, W], probabilities or logits
    NUMBER        ``value`` [B], in the unit of the label
    MAP           ``values`` [B, K, H, W]
    ============  =======================================================================

    Attributes:
        form: form of the prediction.
        classes: class names by index; empty for numbers and maps.
        unit: unit of the numbers.
        options: numbers for decoding: ``score_threshold``, ``iou_threshold``, ``vote_threshold``,
            ``candidates`` and ``max_detections`` for boxes, ``score_threshold`` for categories; and
            ``draw_threshold`` for drawing boxes. Numbers of boxes are integers.

    Raises:
        ValueError: a number of boxes is not a positive integer.
    """

    form: Form
    classes: tuple[str, ...] = ()
    unit: str = ""
    options: Mapping[str, int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = dict(self.options)
        for name in options.keys() & COUNTS:
            if options[name] < 1 or options[name] % 1:
                raise ValueError(f"`{name}` must be a positive integer, got {options[name]}")
            options[name] = int(options[name])
        object.__setattr__(self, "options", options)

    def class_name(self, index: int) -> str:
        """Return the name of a class of a prediction.

        Args:
            index: class index, such as ``CategoryPrediction.index``.

        Returns:
            The name; ``void`` for an index without class, as in true masks.
        """
        return self.classes[index] if 0 <= index < len(self.classes) else "void"
