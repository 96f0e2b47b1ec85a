"""Random changes of training images; boxes, masks and maps follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from mtlsearch.config import AugmentConfig
from mtlsearch.data._prepared import Prepared, PreparedLabel
from mtlsearch.plugin import BoxTargets

MIN_SIDE = 1.0
"""A box of which fewer pixels than this remain across or down is no target any more."""

MIN_VISIBLE = 0.25
"""Nor is one of which a crop leaves less than this part of the area."""


@dataclass(frozen=True, slots=True)
class Augment:
    """Random crop, flip and colour jitter, decided by seed, epoch and image alone.

    Args:
        config: how strong they are.
        size: ``(height, width)`` of the result.
        seed: seed of the run.
    """

    config: AugmentConfig
    size: tuple[int, int]
    seed: int

    def __call__(self, prepared: Prepared, epoch: int, index: int) -> Prepared:
        """The sample as epoch ``epoch`` sees it, at :attr:`size`."""
        height, width = prepared.image.shape[1:]
        image = tv_tensors.Image(prepared.image)
        labels = {name: _wrap(value, (height, width)) for name, value in prepared.labels.items()}
        with _own_chance(self.seed, epoch, index):
            image, labels = self._geometry()(image, labels)
            image = self._colour()(image)
        return Prepared(
            image.as_subclass(Tensor),
            {name: _unwrap(labels[name], value) for name, value in prepared.labels.items()},
        )

    def _geometry(self) -> v2.Transform:
        steps: list[v2.Transform] = []
        if self.config.crop is not None:
            # Aspects are meant for the picture as the network sees it, so they are counted
            # from the input's own.
            own = self.size[1] / self.size[0]
            ratio = (own * 3 / 4, own * 4 / 3)
            low, high = self.config.crop
            steps.append(
                v2.RandomResizedCrop(self.size, scale=(low, high), ratio=ratio, antialias=True)
            )
        else:
            steps.append(v2.Resize(self.size, antialias=True))
        steps.append(v2.RandomHorizontalFlip(self.config.flip))
        return v2.Compose(steps)

    def _colour(self) -> v2.Transform:
        strength = self.config.jitter
        if strength == 0:
            return v2.Identity()
        return v2.ColorJitter(brightness=strength, contrast=strength, saturation=strength)


@contextmanager
def _own_chance(seed: int, epoch: int, index: int) -> Iterator[None]:
    """Set torch's CPU generator by three numbers inside, and back as it was after.

    torchvision's transforms draw from the global generator; only the CPU's is touched, so
    dropout on a GPU goes on undisturbed.
    """
    kept = torch.random.get_rng_state()
    own = np.random.SeedSequence([seed, epoch, index]).generate_state(1, np.uint64)[0]
    torch.default_generator.manual_seed(int(own) >> 1)
    try:
        yield
    finally:
        torch.random.set_rng_state(kept)


def _wrap(value: PreparedLabel, canvas: tuple[int, int]) -> object:
    """What torchvision moves along with the image."""
    if isinstance(value, BoxTargets):
        return tv_tensors.BoundingBoxes(
            value.xyxy, format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=canvas,
            clamping_mode=None,
        )  # fmt: skip
    return tv_tensors.Mask(value) if isinstance(value, Tensor) else value


def _unwrap(moved: object, before: PreparedLabel) -> PreparedLabel:
    if isinstance(before, BoxTargets) and isinstance(moved, tv_tensors.BoundingBoxes):
        return _visible(moved.as_subclass(Tensor), moved.canvas_size, before)
    return moved.as_subclass(Tensor) if isinstance(moved, Tensor) else before


def _visible(xyxy: Tensor, size: tuple[int, int], before: BoxTargets) -> BoxTargets:
    """Boxes clipped to the image, less those of which too little is left to be found.

    A crowd region stays as long as a pixel of it does: it excuses what is found in it.
    """
    limit = torch.tensor([size[1], size[0]] * 2, dtype=xyxy.dtype)
    clipped = torch.minimum(xyxy.clamp(min=0), limit)
    sides, whole = clipped[:, 2:] - clipped[:, :2], xyxy[:, 2:] - xyxy[:, :2]
    part = sides.prod(dim=1) / whole.prod(dim=1).clamp(min=1e-6)
    keep = (sides >= MIN_SIDE).all(dim=1) & ((part >= MIN_VISIBLE) | before.crowd)
    return BoxTargets(clipped[keep], before.classes[keep], before.crowd[keep])


def plain(prepared: Prepared, size: tuple[int, int]) -> Prepared:
    """The sample at ``size`` with nothing random: as evaluation sees it."""
    if tuple(prepared.image.shape[1:]) == size:
        return prepared
    return Augment(AugmentConfig(crop=None, flip=0, jitter=0), size, 0)(prepared, 0, 0)
