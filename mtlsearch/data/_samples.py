"""Prepared samples: an image and its labels, resized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mtlsearch.images import resize_image
from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample
from mtlsearch.plugin import BoxTargets

DENSE_FORMS = (Form.MASK, Form.MAP)
"""Forms of labels with numbers per pixel, which change with the geometry of the image."""

PreparedLabel = int | float | tuple[int, ...] | BoxTargets | Tensor
"""A label after resizing: masks uint8 or int32 ``[h, w]``, maps float32 ``[K, h, w]``, boxes in
pixels of the resized image, category indices and numbers unchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSample:
    """An image and its labels, resized.

    Attributes:
        image: uint8 ``[C, h, w]``.
        labels: label values by name, without missing labels.
    """

    image: Tensor
    labels: Mapping[str, PreparedLabel]

    def clone(self) -> PreparedSample:
        """Copy the sample to memory of this process.

        A tensor from another process holds a file descriptor while it exists, and a data set
        has more samples than a process may have file descriptors.

        Returns:
            The copy.
        """
        labels = {
            name: value.clone() if isinstance(value, Tensor) else _clone_boxes(value)
            for name, value in self.labels.items()
        }
        return PreparedSample(self.image.clone(), labels)


def _clone_boxes(
    value: int | float | tuple[int, ...] | BoxTargets,
) -> int | float | tuple[int, ...] | BoxTargets:
    if isinstance(value, BoxTargets):
        return BoxTargets(value.xyxy.clone(), value.classes.clone(), value.crowd.clone())
    return value


def prepare_sample(
    sample: Sample, labels: Mapping[str, LabelSpec], size: tuple[int, int]
) -> PreparedSample:
    """Resize a valid sample without keeping its aspect ratio.

    Images are resized bilinearly with antialiasing, masks and maps by the nearest pixel. Boxes
    are clipped to the image first.

    Args:
        sample: the sample, its image in the pixel format of the run.
        labels: specification of every label.
        size: ``(height, width)`` after resizing.

    Returns:
        The resized sample.
    """
    resized = {
        name: _resize_label(labels[name], value, sample.image.size, size)
        for name, value in sample.labels.items()
    }
    return PreparedSample(torch.from_numpy(resize_image(sample.image, size)), resized)


def _resize_label(
    spec: LabelSpec, value: RawLabel, image_size: tuple[int, int], size: tuple[int, int]
) -> PreparedLabel:
    if isinstance(value, Boxes):
        return _resize_boxes(value, image_size, size)
    if spec.form is Form.NUMBER:
        return float(cast("float", value))
    if not isinstance(value, np.ndarray):
        return tuple(int(item) for item in value) if isinstance(value, tuple) else int(value)
    if spec.form is Form.MASK:
        return torch.from_numpy(_resize_nearest(value.astype(mask_dtype(spec)), size))
    channels = [_resize_nearest(channel, size) for channel in value.astype(np.float32)]
    return torch.from_numpy(np.stack(channels))


def mask_dtype(spec: LabelSpec) -> np.dtype[np.integer]:
    """Return the dtype of a label's resized masks.

    Args:
        spec: specification of the label.

    Returns:
        uint8 if all class indices and the ignore index fit, else int32.
    """
    fits_uint8 = len(spec.classes) <= 256 and 0 <= spec.ignore_index <= 255
    return np.dtype(np.uint8 if fits_uint8 else np.int32)


def _resize_nearest(plane: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    image = Image.fromarray(np.ascontiguousarray(plane))
    return np.array(image.resize((size[1], size[0]), Image.Resampling.NEAREST))


def _resize_boxes(boxes: Boxes, image_size: tuple[int, int], size: tuple[int, int]) -> BoxTargets:
    width, height = image_size
    xyxy = boxes.xyxy.astype(np.float32).clip(0, [width, height, width, height])
    xyxy = xyxy * np.array([size[1] / width, size[0] / height] * 2)
    return BoxTargets(
        torch.from_numpy(xyxy.astype(np.float32)),
        torch.from_numpy(boxes.classes.astype(np.int64)),
        torch.from_numpy(boxes.crowd.astype(np.bool_)),
    )
