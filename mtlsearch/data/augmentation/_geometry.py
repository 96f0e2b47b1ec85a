"""Geometry of a batch: crop, flip and resize, with one window per image, boxes included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mtlsearch.data.augmentation._params import AugmentationParams
from mtlsearch.plugin import BoxTargets, to_device

MIN_SIDE = 1.0
"""Minimum width and height of a training box in pixels; smaller boxes are removed."""

MIN_VISIBLE = 0.25
"""Minimum fraction of a box's area inside the crop; boxes below it are removed."""


@dataclass(frozen=True, slots=True)
class Resample:
    """Resampling of images, masks and maps of ``B`` prepared samples to the input size.

    torchvision crops a batch by a single window; ``grid_sample`` takes one window per image on
    any device. The result equals torchvision's ``resized_crop`` without antialiasing.
    Antialiasing is not needed, because prepared images are only slightly larger than the input.

    Attributes:
        params: augmentation params, on the device of the data.
        prepared_size: ``(height, width)`` of the data.
        size: ``(height, width)`` of the result.
    """

    params: AugmentationParams
    prepared_size: tuple[int, int]
    size: tuple[int, int]

    @property
    def _needs_resize(self) -> bool:
        # Images that are not cropped are prepared at the size of the input.
        return self.prepared_size != self.size

    def images(self, images: Tensor) -> Tensor:
        """Resample images bilinearly.

        Args:
            images: float ``[B, C, h, w]``.

        Returns:
            float ``[B, C, H, W]``.
        """
        if not self._needs_resize:
            return self._flip_and_turn(images, slice(None))
        # The center of a pixel is half a pixel from its border.
        x, y = (
            (2 * (start + (offset - 0.5).clamp(min=0).minimum(last)) + 1) / side - 1
            for start, offset, last, side in self._axes(slice(None))
        )
        shape = (len(images), *self.size)
        grid = torch.stack([x[:, None].expand(shape), y[:, :, None].expand(shape)], -1)
        resampled = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        return self._turn(resampled, slice(None))

    def nearest(self, values: Tensor, rows: Tensor) -> Tensor:
        """Resample masks or maps by the nearest pixel.

        Args:
            values: masks ``[n, h, w]`` or maps ``[n, K, h, w]``.
            rows: int64 ``[n]``, row of each of them in the batch, on any device.

        Returns:
            ``[n, H, W]`` or ``[n, K, H, W]`` with the same dtype.
        """
        rows = to_device(rows, values.device)
        if not self._needs_resize:
            return self._flip_and_turn(values, rows)
        x, y = (
            (start + offset.floor().minimum(last)).long()
            for start, offset, last, _ in self._axes(rows)
        )
        batch_index = torch.arange(len(rows), device=values.device)[:, None, None]
        index = (batch_index, y[:, :, None], x[:, None])
        if values.ndim == 3:
            return self._turn(values[index], rows)
        return self._turn(torch.stack([channel[index] for channel in values.unbind(1)], 1), rows)

    def _axes(self, rows: Tensor | slice) -> list[tuple[Tensor, Tensor, Tensor, int]]:
        """Return, for x and y: window start, offsets from it, last offset, prepared side."""
        start, extent = self.params.start[rows].float(), self.params.extent[rows].float()
        axes = []
        sides = zip(self.prepared_size[::-1], self.size[::-1], strict=True)
        for axis, (side, count) in enumerate(sides):
            center = torch.arange(count, device=start.device) + 0.5
            offset = center * (extent[:, axis, None] / count)
            flip = self.params.flip if axis == 0 else self.params.flip_vertical
            if flip is not None:
                offset = torch.where(flip[rows, None], offset.flip(1), offset)
            axes.append((start[:, axis, None], offset, extent[:, axis, None] - 1, side))
        return axes

    def _flip_and_turn(self, values: Tensor, rows: Tensor | slice) -> Tensor:
        """Flip and transpose ``[n, ..., h, w]`` of images that need no resizing."""
        values = _choose(self.params.flip[rows], values.flip(-1), values)
        if self.params.flip_vertical is not None:
            values = _choose(self.params.flip_vertical[rows], values.flip(-2), values)
        return self._turn(values, rows)

    def _turn(self, values: Tensor, rows: Tensor | slice) -> Tensor:
        """Transpose the flipped ``[n, ..., s, s]`` of images that are rotated by 90 degrees."""
        if self.params.transpose is None:
            return values
        return _choose(self.params.transpose[rows], values.transpose(-1, -2), values)


def _choose(flags: Tensor, changed: Tensor, values: Tensor) -> Tensor:
    """Return the rows of ``changed`` for which a flag is true, else those of ``values``."""
    return torch.where(flags.view(-1, *[1] * (values.ndim - 1)), changed, values)


def transform_boxes(
    boxes: Sequence[BoxTargets],
    rows: Tensor,
    params: AugmentationParams,
    size: tuple[int, int],
    *,
    should_keep_all: bool = False,
) -> tuple[BoxTargets, ...]:
    """Crop, resize, flip and turn the boxes of some images and clip them to the image.

    Boxes of which too little is visible are removed. A crowd box stays while one pixel of it is
    visible, because predictions inside it must not count as false positives. In evaluation, all
    boxes stay, however small: a metric counts a box that the network cannot see as missed.

    Args:
        boxes: boxes of ``n`` images, in pixels of the prepared image, on the CPU.
        rows: int64 ``[n]``, row of each of these images in the batch.
        params: augmentation params of the batch, on the CPU.
        size: ``(height, width)`` of the result.
        should_keep_all: whether to remove no box, for evaluation.

    Returns:
        Boxes of the ``n`` images, in pixels of the result.
    """
    counts = torch.tensor([len(targets.classes) for targets in boxes])
    row_of_box = rows.repeat_interleave(counts)
    xyxy = torch.cat([targets.xyxy for targets in boxes])
    classes = torch.cat([targets.classes for targets in boxes])
    crowd = torch.cat([targets.crowd for targets in boxes])
    limit = torch.tensor([size[1], size[0]], dtype=xyxy.dtype)
    scale = limit / params.extent[row_of_box]
    corners = (xyxy.view(-1, 2, 2) - params.start[row_of_box, None]) * scale[:, None]
    moved = _flip_boxes(corners, params, row_of_box, size)
    clipped = torch.minimum(moved.clamp(min=0), limit.repeat(2))
    sides, full_sides = clipped[:, 2:] - clipped[:, :2], moved[:, 2:] - moved[:, :2]
    visible = sides.prod(dim=1) / full_sides.prod(dim=1).clamp(min=1e-6)
    keep = (sides >= MIN_SIDE).all(dim=1) & ((visible >= MIN_VISIBLE) | crowd) | should_keep_all
    num_kept = torch.bincount(row_of_box[keep], minlength=len(params.flip))[rows].tolist()
    return tuple(
        BoxTargets(*parts)
        for parts in zip(
            torch.split(clipped[keep], num_kept),
            torch.split(classes[keep], num_kept),
            torch.split(crowd[keep], num_kept),
            strict=True,
        )
    )


def _flip_boxes(
    corners: Tensor, params: AugmentationParams, rows: Tensor, size: tuple[int, int]
) -> Tensor:
    """Return flipped and turned boxes ``[n, 4]`` of corners ``[n, 2, 2]``, row by row."""
    x, y = corners[:, :, 0], corners[:, :, 1]
    x = torch.where(params.flip[rows, None], size[1] - x.flip(1), x)
    if params.flip_vertical is not None:
        y = torch.where(params.flip_vertical[rows, None], size[0] - y.flip(1), y)
    boxes = torch.stack([x, y], 2).flatten(1)
    if params.transpose is None:
        return boxes
    return torch.where(params.transpose[rows, None], boxes[:, [1, 0, 3, 2]], boxes)
