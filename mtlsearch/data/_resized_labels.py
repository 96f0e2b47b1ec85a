"""Labels at the size of the network's input, in the form in which sources return labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

from mtlsearch.data._samples import _resize_label
from mtlsearch.labels import Boxes, LabelSpec, RawLabel, Sample
from mtlsearch.plugin import BoxTargets


def resized_labels(
    sample: Sample,
    labels: Mapping[str, LabelSpec],
    size: tuple[int, int],
    names: Collection[str],
) -> dict[str, RawLabel]:
    """Return labels of a sample as evaluation after an epoch has them.

    Args:
        sample: the sample in its original size.
        labels: specification of every label.
        size: ``(height, width)`` after resizing.
        names: labels to return, all of which the sample carries.

    Returns:
        Labels by name, in pixels of the resized image.
    """
    resized: dict[str, RawLabel] = {}
    for name in names:
        value = _resize_label(labels[name], sample.labels[name], sample.image.size, size)
        if isinstance(value, BoxTargets):
            xyxy, classes, crowd = value.xyxy, value.classes, value.crowd
            resized[name] = Boxes(xyxy.numpy(), classes.numpy(), crowd.numpy())
        else:
            resized[name] = value.numpy() if isinstance(value, Tensor) else value
    return resized
