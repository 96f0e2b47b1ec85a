"""Files of a data set, read so that a bad one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mtlsearch.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# What Pillow's decoders raise on files that are cut short, broken or not images at all.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError)
_ONE_CHANNEL = ("1", "L", "P", "I", "F", "I;16", "I;16L", "I;16B")


def read_image(path: Path, where: str) -> Image.Image:
    """The picture in a file: RGB whatever its mode, upright as its EXIF orientation says.

    Args:
        path: the file.
        where: where the data set names it, for messages.

    Raises:
        DataError: the file is missing, cut short or no image.
    """
    picture = _open(path, where)
    if picture.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 8, and nearly all of the picture to white.
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    # Palettes with transparency have to pass through RGBA, or Pillow warns.
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def read_plane(path: Path, where: str) -> NDArray[np.generic]:
    """The numbers in a one-channel picture (a palette's indices) or an ``.npy`` file.

    Returns:
        ``[H, W]`` for a picture, of its own integer or float type; an ``.npy`` file's
        array as it is.

    Raises:
        DataError: the file is missing, cut short, or a picture of several channels.
    """
    if path.suffix.lower() == ".npy":
        return _read_npy(path, where)
    picture = _open(path, where)
    if picture.mode not in _ONE_CHANNEL:
        raise DataError(
            f"{path} has {len(picture.getbands())} channels ({picture.mode}), one is wanted",
            where=where,
            next_step="write class indices or numbers into one channel (8 or 16 bit PNG, .npy)",
        )
    plane = np.asarray(picture)
    return plane.astype(np.uint8) if plane.dtype == np.bool_ else plane


def _open(path: Path, where: str) -> Image.Image:
    """The decoded picture, upright."""
    require_file(path, where)
    try:
        with Image.open(path) as picture:
            return ImageOps.exif_transpose(picture)
    except UnidentifiedImageError as error:
        kind = "is no picture of a known format" if path.stat().st_size else "is an empty file"
        raise DataError(f"{path} {kind}", where=where) from error
    except (*_BROKEN, Image.DecompressionBombError) as error:
        # The system's own errors would name the path a second time.
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise DataError(f"{path} cannot be decoded: {reason}", where=where) from error


def _read_npy(path: Path, where: str) -> NDArray[np.generic]:
    require_file(path, where)
    try:
        array = np.load(path, allow_pickle=False)
    except _BROKEN as error:
        raise DataError(f"{path} cannot be decoded: {error}", where=where) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise DataError(f"{path} does not hold one array of numbers", where=where)
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def require_file(path: Path, where: str) -> None:
    """Be sure that a path is one of a file.

    Raises:
        DataError: it is a folder's, or nothing is there.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder, a file is wanted", where=where)
    if not path.is_file():
        raise DataError(f"{path} is missing", where=where)
