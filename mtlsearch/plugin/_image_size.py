"""Image sizes that an annotation file states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from mtlsearch.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATION, FIRST_TRANSPOSED = 0x0112, 5
"""EXIF tag of the orientation, and the first of its values that swaps width and height."""


def require_image_size(
    path: Path,
    size: tuple[int, int],
    stated: tuple[int, int],
    *,
    origin: str,
    where: str,
    next_step: str,
) -> None:
    """Check that an image has the size that an annotation file states.

    Args:
        path: the image, whose EXIF orientation may be the reason for a difference.
        size: ``(width, height)`` in pixels of the image, upright.
        stated: ``(width, height)`` in pixels in the annotation file.
        origin: the annotation file, such as ``"the JSON"``.
        where: the image and its row, for messages.
        next_step: how to fix another difference, in the imperative.

    Raises:
        DataError: the sizes differ. If EXIF rotates the image to its size, the message contains
            this.
    """
    if size == stated:
        return
    what = (
        f"the image must have {stated[0]} x {stated[1]} pixels, as in {origin}, got "
        f"{size[0]} x {size[1]}"
    )
    if size == stated[::-1] and _is_transposed(path):
        what += ", because its EXIF orientation rotates it"
        next_step = (
            "remove the EXIF orientation from the images if the labels refer to the stored pixels, "
            f"or swap width and height in {origin} if they refer to the rotated image"
        )
    raise DataError(what, where=where, next_step=next_step)


def _is_transposed(path: Path) -> bool:
    if path.suffix.lower() == ".npy":
        return False
    with Image.open(path) as image:
        return int(image.getexif().get(ORIENTATION, 1)) >= FIRST_TRANSPOSED
