"""One slice of a backbone, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """The finest thing that is shared or not: a stage, or a block, in depth order.

    Attributes:
        index: place in depth order, from 0.
        name: the timm module names it holds, shortened, such as ``"layer2"``.
        channels: channels of its output.
        stride: image pixels per output pixel, along one side.
        parameters: scalars in its weights, those a task-specific copy costs.
        flops: floating-point operations for one image (2 x multiply-adds).
        skippable: whether a task may pass by it: what it gives has the shape of what it takes,
            and what comes after sees nothing else of it.
    """

    index: int
    name: str
    channels: int
    stride: int
    parameters: int
    flops: int
    skippable: bool = False
