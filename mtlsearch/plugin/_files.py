"""Readers for image and array files that report a broken file by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mtlsearch.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Errors of Pillow's decoders for files that are truncated, broken or not images.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError)
_ONE_CHANNEL = ("1", "L", "P", "I", "F", "I;16", "I;16L", "I;16B")


def read_image(path: Path, where: str) -> Image.Image:
    """Read a picture as RGB, rotated by its EXIF orientation.

    Args:
        path: the file, in any format and mode of Pillow.
        where: reference to the file in the data set, for messages.

    Returns:
        The picture in mode RGB; 16 bits per channel are scaled to 8.

    Raises:
        DataError: the file is missing, truncated or not an image.
    """
    picture = _open(path, where)
    if picture.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 8, which turns almost all pixels white.
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    # Pillow warns unless a palette with transparency is converted to RGBA first.
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def read_plane(path: Path, where: str) -> NDArray[np.generic]:
    """Read the numbers of a one-channel picture or of an ``.npy`` file.

    Args:
        path: the file; a palette picture gives its indices.
        where: reference to the file in the data set, for messages.

    Returns:
        ``[H, W]`` in the file's integer or float type for a picture; an array of any shape for
        an ``.npy`` file. Booleans become uint8.

    Raises:
        DataError: the file is missing or truncated, or the picture has several channels.
    """
    if path.suffix.lower() == ".npy":
        return _read_npy(path, where)
    picture = _open(path, where)
    if picture.mode not in _ONE_CHANNEL:
        raise DataError(
            f"{path} must have one channel, got {len(picture.getbands())} ({picture.mode})",
            where=where,
            next_step="write class indices or numbers into one channel (8 or 16 bit PNG, .npy)",
        )
    plane = np.asarray(picture)
    return plane.astype(np.uint8) if plane.dtype == np.bool_ else plane


def _open(path: Path, where: str) -> Image.Image:
    """Return the decoded picture, upright."""
    require_file(path, where)
    try:
        with Image.open(path) as picture:
            return ImageOps.exif_transpose(picture)
    except UnidentifiedImageError as error:
        kind = "is not in a known image format" if path.stat().st_size else "is empty"
        raise DataError(f"{path} {kind}", where=where) from error
    except (*_BROKEN, Image.DecompressionBombError) as error:
        # An error of the system would repeat the path.
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise DataError(f"{path} cannot be decoded: {reason}", where=where) from error


def _read_npy(path: Path, where: str) -> NDArray[np.generic]:
    require_file(path, where)
    try:
        array = np.load(path, allow_pickle=False)
    except _BROKEN as error:
        raise DataError(f"{path} cannot be decoded: {error}", where=where) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise DataError(f"{path} does not contain an array of numbers", where=where)
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def require_file(path: Path, where: str) -> None:
    """Check that a file exists.

    Args:
        path: the file.
        where: reference to the file in the data set, for messages.

    Raises:
        DataError: the path does not exist or is a folder.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder, expected a file", where=where)
    if not path.is_file():
        raise DataError(f"{path} is missing", where=where)
