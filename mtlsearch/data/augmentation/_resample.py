"""Crop, flip and resize a whole batch, every image by a window of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mtlsearch.data.augmentation._params import AugmentationParams


@dataclass(frozen=True, slots=True)
class Resample:
    """Moves images, masks and maps of ``B`` kept samples to the input's size.

    torchvision crops a batch by one window only; ``grid_sample`` takes one an image, on any
    device. The result is that of torchvision's ``resized_crop`` without antialiasing, which
    does not matter as kept images are hardly larger than the input.

    Args:
        changes: the windows, on the device of what is moved.
        kept: ``(height, width)`` of what is moved.
        size: ``(height, width)`` of the result.
    """

    changes: AugmentationParams
    kept: tuple[int, int]
    size: tuple[int, int]

    @property
    def _resizes(self) -> bool:
        # Where nothing is cropped, images are kept in the input's own size.
        return self.kept != self.size

    def images(self, images: Tensor) -> Tensor:
        """Float ``[B, C, h, w]`` to ``[B, C, H, W]``, bilinearly."""
        if not self._resizes:
            return self._flipped(images, self.changes.flip)
        # The middle of a pixel lies at half its width.
        across, down = (
            (2 * (start + (offset - 0.5).clamp(min=0).minimum(last)) + 1) / side - 1
            for start, offset, last, side in self._axes(slice(None))
        )
        shape = (len(images), *self.size)
        grid = torch.stack([across[:, None].expand(shape), down[:, :, None].expand(shape)], -1)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def planes(self, planes: Tensor, rows: Tensor) -> Tensor:
        """Masks ``[n, h, w]`` or maps ``[n, K, h, w]`` of these rows, by the nearest pixel."""
        if not self._resizes:
            return self._flipped(planes, self.changes.flip[rows])
        across, down = (
            (start + offset.floor().minimum(last)).long()
            for start, offset, last, _ in self._axes(rows)
        )
        each = torch.arange(len(rows), device=planes.device)[:, None, None]
        at = (each, down[:, :, None], across[:, None])
        if planes.ndim == 3:
            return planes[at]
        return torch.stack([channel[at] for channel in planes.unbind(1)], 1)

    def _axes(self, rows: Tensor | slice) -> list[tuple[Tensor, Tensor, Tensor, int]]:
        """Across and down: window's start, offsets from it, its last pixel, the kept side."""
        start, extent = self.changes.start[rows].float(), self.changes.extent[rows].float()
        found = []
        for axis, (side, count) in enumerate(zip(self.kept[::-1], self.size[::-1], strict=True)):
            middle = torch.arange(count, device=start.device) + 0.5
            offset = middle * (extent[:, axis, None] / count)
            if axis == 0:
                offset = torch.where(self.changes.flip[rows, None], offset.flip(1), offset)
            found.append((start[:, axis, None], offset, extent[:, axis, None] - 1, side))
        return found

    @staticmethod
    def _flipped(planes: Tensor, flip: Tensor) -> Tensor:
        """Those of ``[n, ..., w]`` mirrored that are to be."""
        return torch.where(flip.view(-1, *[1] * (planes.ndim - 1)), planes.flip(-1), planes)
