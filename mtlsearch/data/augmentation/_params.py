"""Augmentation params: the random numbers of one batch, per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlsearch.config import AugmentConfig
from mtlsearch.plugin import to_device

NUM_ATTEMPTS = 10
"""Number of random crops that are tried; if none fits the image, the crop is centered."""

MAX_ASPECT = 4 / 3
"""Maximum ratio between the aspect ratio of a crop and that of the input, in both directions."""

# Columns of the uniform numbers of one image.
_AREAS, _ASPECTS = slice(0, NUM_ATTEMPTS), slice(NUM_ATTEMPTS, 2 * NUM_ATTEMPTS)
_LEFT, _TOP, _FLIP = 2 * NUM_ATTEMPTS, 2 * NUM_ATTEMPTS + 1, 2 * NUM_ATTEMPTS + 2
_FACTORS = slice(2 * NUM_ATTEMPTS + 3, 2 * NUM_ATTEMPTS + 6)
_ORDER = slice(2 * NUM_ATTEMPTS + 6, 2 * NUM_ATTEMPTS + 9)
# New columns come last, so that the numbers of the others stay.
_VERTICAL, _TURN = 2 * NUM_ATTEMPTS + 9, 2 * NUM_ATTEMPTS + 10
_NUM_COLUMNS = 2 * NUM_ATTEMPTS + 11


@dataclass(frozen=True, slots=True, eq=False)
class AugmentationParams:
    """Augmentation of ``B`` images.

    Attributes:
        start: int64 ``[B, 2]``, left and top of the crop in pixels of the prepared image.
        extent: int64 ``[B, 2]``, width and height of the crop.
        flip: bool ``[B]``, whether to flip horizontally.
        factors: float32 ``[B, 3]`` for brightness, contrast and saturation; 1 keeps the image.
        order: int64 ``[B, 3]``, column of ``factors`` that is applied first, second and last.
        flip_vertical: bool ``[B]``, whether to flip vertically; None if no image is.
        transpose: bool ``[B]``, whether to swap rows and columns after the flips; None if no
            image is. A rotation by 90 degrees is a flip and this.
    """

    start: Tensor
    extent: Tensor
    flip: Tensor
    factors: Tensor
    order: Tensor
    flip_vertical: Tensor | None = None
    transpose: Tensor | None = None

    def to(self, device: torch.device) -> AugmentationParams:
        """Copy the params to a device.

        Args:
            device: the device.

        Returns:
            The copy.
        """
        return AugmentationParams(
            to_device(self.start, device),
            to_device(self.extent, device),
            to_device(self.flip, device),
            to_device(self.factors, device),
            to_device(self.order, device),
            None if self.flip_vertical is None else to_device(self.flip_vertical, device),
            None if self.transpose is None else to_device(self.transpose, device),
        )


def identity_params(count: int, prepared_size: tuple[int, int]) -> AugmentationParams:
    """Return the params that change nothing.

    Args:
        count: number of images.
        prepared_size: ``(height, width)`` of the prepared images.

    Returns:
        Params of whole images.
    """
    return AugmentationParams(
        torch.zeros(count, 2, dtype=torch.int64),
        torch.tensor([prepared_size[1], prepared_size[0]]).repeat(count, 1),
        torch.zeros(count, dtype=torch.bool),
        torch.ones(count, 3),
        torch.arange(3).repeat(count, 1),
    )


def sample_params(
    config: AugmentConfig,
    prepared_size: tuple[int, int],
    size: tuple[int, int],
    *,
    seed: int,
    epoch: int,
    indices: Sequence[int],
) -> AugmentationParams:
    """Sample the params of some images from seed, epoch and the index of each image.

    The distributions are those of torchvision's ``RandomResizedCrop``, ``RandomHorizontalFlip``,
    ``RandomVerticalFlip`` and ``ColorJitter``. A rotation is by 90, 180 or 270 degrees.

    Args:
        config: ranges and probabilities.
        prepared_size: ``(height, width)`` of the prepared images.
        size: ``(height, width)`` of the network's input.
        seed: seed of the run.
        epoch: the epoch, from 0.
        indices: indices of the images in their split.

    Returns:
        Params of these images.
    """
    uniform = _uniform(seed, epoch, indices)
    start, extent = _crops(config, prepared_size, size, uniform)
    factors = 1 + config.jitter * (2 * uniform[:, _FACTORS] - 1)
    flip, flip_vertical = (
        uniform[:, _FLIP] < config.flip,
        uniform[:, _VERTICAL] < config.flip_vertical,
    )
    turns = _turns(config.rotate_90, uniform[:, _TURN])
    # A quarter turn counterclockwise is a horizontal flip and a transposition; half a turn is
    # both flips.
    flip ^= (turns == 1) | (turns == 2)
    flip_vertical ^= turns >= 2
    return AugmentationParams(
        torch.from_numpy(start),
        torch.from_numpy(extent),
        torch.from_numpy(flip),
        torch.from_numpy(factors.astype(np.float32)),
        torch.from_numpy(uniform[:, _ORDER].argsort(axis=1)),
        torch.from_numpy(flip_vertical) if config.flip_vertical or config.rotate_90 else None,
        torch.from_numpy(turns % 2 == 1) if config.rotate_90 else None,
    )


def _turns(probability: float, uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the number of quarter turns ``[B]``: 0, or with the probability 1, 2 or 3."""
    if probability == 0:
        return np.zeros(len(uniform), np.int64)
    turns = 1 + np.floor(3 * uniform / probability)
    return np.where(uniform < probability, turns.clip(max=3), 0).astype(np.int64)


def _uniform(seed: int, epoch: int, indices: Sequence[int]) -> NDArray[np.float64]:
    """Return uniform numbers ``[B, 31]`` in which a row depends on seed, epoch and index only.

    The index is the counter of a counter-based generator (Philox) with one key per epoch, so
    that no generator must be seeded per image.
    """
    key = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    rows = [
        np.random.Generator(np.random.Philox(key=key, counter=[0, index, 0, 0])).random(
            _NUM_COLUMNS
        )
        for index in indices
    ]
    return np.stack(rows)


def _crops(
    config: AugmentConfig,
    prepared_size: tuple[int, int],
    size: tuple[int, int],
    uniform: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return start and extent ``[B, 2]`` of every crop: the first that fits, else centered."""
    height, width = prepared_size
    image = np.array([width, height], np.int64)
    if config.crop is None:
        return np.zeros((len(uniform), 2), np.int64), np.tile(image, (len(uniform), 1))
    low, high = config.crop
    area = (low + (high - low) * uniform[:, _AREAS]) * image.prod()
    # The aspect ratio is relative to the input, because the crop is resized to it.
    input_aspect = size[1] / size[0]
    aspect = input_aspect * MAX_ASPECT ** (2 * uniform[:, _ASPECTS] - 1)
    candidates = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=2).round()
    fits: NDArray[np.bool_] = np.all((candidates > 0) & (candidates <= image), axis=2)
    first = candidates[np.arange(len(candidates)), fits.argmax(axis=1)]
    limits = [height * input_aspect * MAX_ASPECT, width / input_aspect * MAX_ASPECT]
    largest = np.minimum(image, np.round(limits))
    any_fits: NDArray[np.bool_] = np.any(fits, axis=1, keepdims=True)
    extent = np.where(any_fits, first, largest).astype(np.int64)
    start = np.floor(uniform[:, [_LEFT, _TOP]] * (image - extent + 1)).astype(np.int64)
    return np.where(any_fits, start, (image - extent) // 2), extent
