"""Unit of a backbone, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One slice of a backbone that tasks share or do not share: a stage or a block.

    Attributes:
        index: position in depth order, from 0.
        name: shortened timm names of its modules, such as ``"layer2"``.
        channels: number of channels of its output.
        stride: image pixels per pixel of its output, along one side.
        parameters: number of scalars in its weights, which each further copy adds.
        flops: floating-point operations for one image, two per multiply-add.
        skippable: whether tasks can skip it: its output has the shape of its input, and later
            units use nothing else of it.
    """

    index: int
    name: str
    channels: int
    stride: int
    parameters: int
    flops: int
    skippable: bool = False
