"""What chance does to each image of a batch, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlsearch.config import AugmentConfig
from mtlsearch.labels import send

TRIES = 10
"""How often a crop is drawn anew because it does not fit, before it is the middle."""

ASPECT = 4 / 3
"""How much wider or taller than the input a crop may be before it is resized."""

# Places of one image's numbers among those drawn for it.
_AREAS, _ASPECTS = slice(0, TRIES), slice(TRIES, 2 * TRIES)
_LEFT, _TOP, _FLIP = 2 * TRIES, 2 * TRIES + 1, 2 * TRIES + 2
_FACTORS, _ORDER = slice(2 * TRIES + 3, 2 * TRIES + 6), slice(2 * TRIES + 6, 2 * TRIES + 9)
_DRAWN = 2 * TRIES + 9


@dataclass(frozen=True, slots=True, eq=False)
class AugmentationParams:
    """The changes of ``B`` images.

    Attributes:
        start: int64 ``[B, 2]``, left and top of the crop in pixels of the kept image.
        extent: int64 ``[B, 2]``, its width and height.
        flip: bool ``[B]``, whether left becomes right.
        factors: float32 ``[B, 3]`` for brightness, contrast and saturation; 1 changes nothing.
        order: int64 ``[B, 3]``, which of the three comes first, second and last.
    """

    start: Tensor
    extent: Tensor
    flip: Tensor
    factors: Tensor
    order: Tensor

    def to(self, device: torch.device) -> AugmentationParams:
        """The same changes on another device."""
        return AugmentationParams(
            send(self.start, device),
            send(self.extent, device),
            send(self.flip, device),
            send(self.factors, device),
            send(self.order, device),
        )


def no_changes(count: int, kept: tuple[int, int]) -> AugmentationParams:
    """Whole images of the ``(height, width)`` they are kept in."""
    return AugmentationParams(
        torch.zeros(count, 2, dtype=torch.int64),
        torch.tensor([kept[1], kept[0]]).repeat(count, 1),
        torch.zeros(count, dtype=torch.bool),
        torch.ones(count, 3),
        torch.arange(3).repeat(count, 1),
    )


def sample_params(
    config: AugmentConfig,
    kept: tuple[int, int],
    size: tuple[int, int],
    *,
    seed: int,
    epoch: int,
    indices: Sequence[int],
) -> AugmentationParams:
    """Changes that depend on seed, epoch and each image's index alone.

    They are distributed as torchvision's ``RandomResizedCrop``, ``RandomHorizontalFlip`` and
    ``ColorJitter`` draw them.

    Args:
        config: how strong they are.
        kept: ``(height, width)`` of the kept images.
        size: ``(height, width)`` of the network's input.
        seed: seed of the run.
        epoch: which epoch.
        indices: the images' indices in their split.
    """
    chance = _uniform(seed, epoch, indices)
    start, extent = _crops(config, kept, size, chance)
    factors = 1 + config.jitter * (2 * chance[:, _FACTORS] - 1)
    return AugmentationParams(
        torch.from_numpy(start),
        torch.from_numpy(extent),
        torch.from_numpy(chance[:, _FLIP] < config.flip),
        torch.from_numpy(factors.astype(np.float32)),
        torch.from_numpy(chance[:, _ORDER].argsort(axis=1)),
    )


def _uniform(seed: int, epoch: int, indices: Sequence[int]) -> NDArray[np.float64]:
    """Uniform numbers ``[B, 29]``; a row is a function of the three numbers alone.

    The index is put into the counter of one generator an epoch, which is what a
    counter-based generator is for: no seeding an image.
    """
    key = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    rows = [
        np.random.Generator(np.random.Philox(key=key, counter=[0, index, 0, 0])).random(_DRAWN)
        for index in indices
    ]
    return np.stack(rows)


def _crops(
    config: AugmentConfig,
    kept: tuple[int, int],
    size: tuple[int, int],
    chance: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and extent ``[B, 2]`` of every crop: the first try that fits, else the middle."""
    whole = np.array([kept[1], kept[0]], np.int64)
    if config.crop is None:
        return np.zeros((len(chance), 2), np.int64), np.tile(whole, (len(chance), 1))
    low, high = config.crop
    area = (low + (high - low) * chance[:, _AREAS]) * whole.prod()
    # Aspects are meant for the picture as the network sees it, so they are counted from the
    # input's own.
    own = size[1] / size[0]
    aspect = own * ASPECT ** (2 * chance[:, _ASPECTS] - 1)
    tries = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=2).round()
    fits: NDArray[np.bool_] = np.all((tries > 0) & (tries <= whole), axis=2)
    first = tries[np.arange(len(tries)), fits.argmax(axis=1)]
    widest = np.minimum(whole, np.round([kept[0] * own * ASPECT, kept[1] / own * ASPECT]))
    fitting: NDArray[np.bool_] = np.any(fits, axis=1, keepdims=True)
    extent = np.where(fitting, first, widest).astype(np.int64)
    places = np.floor(chance[:, [_LEFT, _TOP]] * (whole - extent + 1)).astype(np.int64)
    return np.where(fitting, places, (whole - extent) // 2), extent
