"""Reader of masks and maps that reports a broken file by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtlsearch.errors import DataError
from mtlsearch.images import load_array, open_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_ONE_CHANNEL = ("1", "L", "P", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def read_plane(path: Path, where: str) -> NDArray[np.generic]:
    """Read the numbers of a one-channel image or of an ``.npy`` file.

    Args:
        path: the file; a palette image gives its indices.
        where: reference to the file in the data set, for messages.

    Returns:
        ``[H, W]`` in the file's integer or float type for an image; an array of any shape for
        an ``.npy`` file. Booleans become uint8.

    Raises:
        DataError: the file is missing or truncated, or the image has several channels.
    """
    if path.suffix.lower() == ".npy":
        return load_array(path, where)
    image = open_image(path, where)
    if image.mode not in _ONE_CHANNEL:
        raise DataError(
            f"{path} must have one channel, got {len(image.getbands())} ({image.mode})",
            where=where,
            next_step="write class indices or numbers into one channel (8 or 16 bit PNG, .npy)",
        )
    plane = np.asarray(image)
    return plane.astype(np.uint8) if plane.dtype == np.bool_ else plane
