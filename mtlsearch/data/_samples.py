"""One sample at the size it is kept in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample
from mtlsearch.plugin import BoxTargets

PreparedLabel = int | tuple[int, ...] | BoxTargets | Tensor
"""A label at the kept size: masks uint8 or int32 ``[h, w]``, maps float32 ``[K, h, w]``,
boxes in pixels of the kept image, classes as they were."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSample:
    """An image and its labels, resized.

    Attributes:
        image: uint8 ``[3, h, w]``.
        labels: by name; a missing label is not in it.
    """

    image: Tensor
    labels: Mapping[str, PreparedLabel]

    def clone(self) -> PreparedSample:
        """A copy in this process's own memory.

        Tensors that come from another process hold a file descriptor each for as long as
        they live, of which there are not enough for a data set.
        """
        copies = {
            name: value.clone() if isinstance(value, Tensor) else _clone_boxes(value)
            for name, value in self.labels.items()
        }
        return PreparedSample(self.image.clone(), copies)


def _clone_boxes(value: int | tuple[int, ...] | BoxTargets) -> int | tuple[int, ...] | BoxTargets:
    if isinstance(value, BoxTargets):
        return BoxTargets(value.xyxy.clone(), value.classes.clone(), value.crowd.clone())
    return value


def prepare_sample(
    sample: Sample, labels: Mapping[str, LabelSpec], size: tuple[int, int]
) -> PreparedSample:
    """Resize a valid sample to ``size`` (height, width), whatever its aspect.

    Images bilinearly, averaging where they shrink; masks and maps by the nearest pixel;
    boxes are clipped to the image first.
    """
    resized = {
        name: _resize_label(labels[name], value, sample.image.size, size)
        for name, value in sample.labels.items()
    }
    return PreparedSample(resize_image(sample.image, size), resized)


def resize_image(image: Image.Image, size: tuple[int, int]) -> Tensor:
    """A picture as uint8 ``[3, h, w]``, resized as a bundle resizes it: by Pillow."""
    rgb = image.convert("RGB")
    if rgb.size != (size[1], size[0]):
        rgb = rgb.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1).contiguous()


def _resize_label(
    spec: LabelSpec, value: RawLabel, image_size: tuple[int, int], size: tuple[int, int]
) -> PreparedLabel:
    if isinstance(value, Boxes):
        return _resize_boxes(value, image_size, size)
    if not isinstance(value, np.ndarray):
        return tuple(int(item) for item in value) if isinstance(value, tuple) else int(value)
    if spec.form is Form.MASK:
        return torch.from_numpy(_nearest(value.astype(mask_type(spec)), size))
    planes = [_nearest(plane, size) for plane in value.astype(np.float32)]
    return torch.from_numpy(np.stack(planes))


def mask_type(spec: LabelSpec) -> np.dtype[np.integer]:
    """The type that masks of a label are kept in: uint8 where its numbers fit."""
    small = len(spec.classes) <= 256 and 0 <= spec.ignore_index <= 255
    return np.dtype(np.uint8 if small else np.int32)


def _nearest(plane: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    picture = Image.fromarray(np.ascontiguousarray(plane))
    return np.array(picture.resize((size[1], size[0]), Image.Resampling.NEAREST))


def _resize_boxes(boxes: Boxes, image_size: tuple[int, int], size: tuple[int, int]) -> BoxTargets:
    width, height = image_size
    xyxy = boxes.xyxy.astype(np.float32).clip(0, [width, height, width, height])
    xyxy = xyxy * np.array([size[1] / width, size[0] / height] * 2)
    return BoxTargets(
        torch.from_numpy(xyxy.astype(np.float32)),
        torch.from_numpy(boxes.classes.astype(np.int64)),
        torch.from_numpy(boxes.crowd.astype(np.bool_)),
    )
