"""Readers of image and array files that report a broken file by name."""

from __future__ import annotations

import math
import struct
import tokenize
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from mtlsearch.errors import DataError
from mtlsearch.images._bands import NUM_BANDS, AnyImage, Bands
from mtlsearch.images._tiff_bands import BITS, SAMPLES, TiffLayout

# Errors of the decoders of Pillow and numpy for files that are truncated, broken or not images.
# A damaged header also leads them to wrong types, keys and sizes.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)

_PAGE_MODES = ("L", "I;16", "I;16B", "I;16L", "I;16N", "I", "F")
"""Modes in which the pages of one TIFF are the bands of one image."""

_PROGRAMS = ("EPS",)
"""Formats of files that another program would execute."""

_TIFF_SUFFIXES = (".tif", ".tiff")

_AS_ARRAY = "save its bands as an .npy file of [bands, height, width]"


def read_image(path: Path, where: str | None = None) -> AnyImage:
    """Read an image as its file has it, rotated by its EXIF orientation.

    A TIFF of several equal pages of one channel has one band per page. Another TIFF has the bands
    of its first page, also those that Pillow does not read. An ``.npy`` file has the shape
    ``[H, W]`` or ``[C, H, W]``. :meth:`PixelFormat.apply` converts the result to the bands of a
    network.

    Args:
        path: the file, in any format and mode of Pillow, or an ``.npy`` file.
        where: reference to the file in the data set, for messages.

    Returns:
        A Pillow image in the mode of the file, or bands.

    Raises:
        DataError: the file is missing, truncated, too large or not an image.
    """
    if path.suffix.lower() == ".npy":
        array = _load(path, where)
        is_bilevel = array.dtype == np.bool_
        return _bands_of(array.astype(np.uint8) * 255 if is_bilevel else array, path, where)
    if path.suffix.lower() in _TIFF_SUFFIXES:
        hidden = _bands_beyond_pillow(path, where)
        if hidden is not None:
            return hidden
    with _opened(path, where) as image:
        if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
            pages = _pages(image, path, where)
            if pages is not None:
                return pages
        return _upright(_with_all_bands(image))


def open_image(path: Path, where: str | None = None) -> Image.Image:
    """Read the first page of an image file, rotated by its EXIF orientation.

    Args:
        path: the file, in any format and mode of Pillow.
        where: reference to the file in the data set, for messages.

    Returns:
        The image in the mode of the file.

    Raises:
        DataError: the file is missing, truncated, too large or not an image.
    """
    with _opened(path, where) as image:
        return _upright(image)


def load_array(path: Path, where: str | None = None) -> NDArray[np.generic]:
    """Read the numbers of an ``.npy`` file.

    Args:
        path: the file.
        where: reference to the file in the data set, for messages.

    Returns:
        The array; booleans become uint8.

    Raises:
        DataError: the file is missing, truncated, too large or does not contain numbers.
    """
    array = _load(path, where)
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def _load(path: Path, where: str | None) -> NDArray[np.generic]:
    require_file(path, where)
    try:
        # The header is checked before the numbers are read.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(mapped, np.ndarray) or mapped.dtype.kind not in "biuf":
            raise DataError(f"{path} does not contain an array of numbers", where=where)
        _require_pixels(math.prod(mapped.shape), path, where, mapped.dtype.itemsize)
        array: NDArray[np.generic] = np.array(mapped)
    except _BROKEN as error:
        raise DataError(f"{path} cannot be decoded: {error}", where=where) from error
    return array


def require_file(path: Path, where: str | None = None) -> None:
    """Check that a file exists.

    Args:
        path: the file.
        where: reference to the file in the data set, for messages.

    Raises:
        DataError: the path does not exist or is a folder.
    """
    try:
        is_file, is_dir = path.is_file(), path.is_dir()
    except OSError as error:  # such as a name that is too long
        raise DataError(f"{path} cannot be opened: {error.strerror}", where=where) from error
    if is_dir:
        raise DataError(f"{path} is a folder, expected a file", where=where)
    if not is_file:
        raise DataError(f"{path} is missing", where=where, next_step="check the path")


@contextmanager
def _opened(path: Path, where: str | None) -> Iterator[Image.Image]:
    """Open an image; errors of opening and decoding name the file.

    Raises:
        DataError: the file is missing, truncated, too large or not an image.
    """
    require_file(path, where)
    try:
        # Pillow maps uncompressed files that it opens by name, and scrambles a rotated TIFF then.
        with path.open("rb") as file, Image.open(file) as image:
            _require_picture(image, path, where)
            yield image
    except UnidentifiedImageError as error:
        kind = "is not in a known image format" if path.stat().st_size else "is empty"
        is_tiff = path.suffix.lower() in _TIFF_SUFFIXES
        raise DataError(
            f"{path} {kind}",
            where=where,
            next_step=f"if the TIFF has bands that Pillow cannot read, {_AS_ARRAY}"
            if is_tiff
            else "check that an image viewer opens the file",
        ) from error
    except (*_BROKEN, *_BOMB) as error:
        raise _decoding_error(path, where, error) from error


def _require_picture(image: Image.Image, path: Path, where: str | None) -> None:
    """Refuse a file that is a program: Pillow runs Ghostscript for PostScript.

    Raises:
        DataError: it is one, whatever its suffix.
    """
    if image.format in _PROGRAMS:
        raise DataError(
            f"{path} contains PostScript, which is a program",
            where=where,
            next_step="convert it to PNG",
        )
    _require_pixels(math.prod(image.size), path, where, _bytes_of(image))


def _bytes_of(image: Image.Image) -> int:
    """Return the number of bytes of a number of an image."""
    return 4 if image.mode in ("I", "F") else 2 if image.mode.startswith("I;16") else 1


def _bands_beyond_pillow(path: Path, where: str | None) -> Bands | None:
    """Return the bands of a TIFF that Pillow does not open or of which it decodes a part.

    Returns:
        None if Pillow decodes all bands, or if the layout of the TIFF is not supported.

    Raises:
        DataError: the file is missing, or its bands are too large or damaged.
    """
    require_file(path, where)
    try:
        if _pillow_reads_all_bands(path) or (layout := TiffLayout.read(path)) is None:
            return None
    except (*_BROKEN, *_BOMB):
        return None  # reported when Pillow opens the file
    if layout.has_more_pages and layout.num_bands == 1:
        raise DataError(
            f"the TIFF has several pages of {layout.dtype.name}, of which only the first is read",
            where=where or str(path),
            next_step=_AS_ARRAY,
        )
    count = layout.width * layout.height * layout.num_bands
    _require_pixels(count, path, where, layout.dtype.itemsize)
    try:
        return Bands(layout.decode(path))
    except (*_BROKEN, *_BOMB) as error:
        raise _decoding_error(path, where, error) from error


def _pillow_reads_all_bands(path: Path) -> bool:
    """Return whether Pillow decodes the bands of a TIFF, perhaps one per page."""
    try:
        with path.open("rb") as file, Image.open(file) as image:
            tags = getattr(image, "tag_v2", {})
            samples, decoded = int(tags.get(SAMPLES, 0)), len(image.getbands())
            has_four_bytes = image.mode == "RGB" and tags.get(BITS) == (8, 8, 8, 8)
            return image.mode == "P" or samples <= decoded or has_four_bytes
    except UnidentifiedImageError:
        return False


def _with_all_bands(image: Image.Image) -> Image.Image:
    """Return an image of which Pillow decodes the fourth band too, if it can.

    A TIFF of red, green, blue and an unspecified band has the mode RGB, without the fourth. The
    decoder also writes all four. Further bands are only counted.
    """
    samples = int(getattr(image, "tag_v2", {}).get(SAMPLES, 0))
    if samples > len(image.getbands()) and image.mode != "P":
        image.info[NUM_BANDS] = samples
        if samples == 4 and image.mode == "RGB":
            image._mode = "RGBX"
    return image


def _upright(image: Image.Image) -> Image.Image:
    """Return the decoded image, rotated by its EXIF orientation."""
    upright = ImageOps.exif_transpose(image)
    # The pixel format depends on it: the numbers of a 16-bit PGM have the mode of 32 bits.
    upright.format = image.format
    return upright


def _pages(image: Image.Image, path: Path, where: str | None) -> Bands | None:
    """Return the pages as bands; None if they are pages of a document."""
    num_pages, first = int(getattr(image, "n_frames", 1)), (image.mode, image.size)
    if image.mode not in _PAGE_MODES:
        return None
    _require_pixels(num_pages * math.prod(image.size), path, where, _bytes_of(image))
    planes = []
    for page in ImageSequence.Iterator(image):
        if (page.mode, page.size) != first:
            image.seek(0)
            return None
        planes.append(np.asarray(ImageOps.exif_transpose(page)))
    return Bands(np.stack(planes))


def _bands_of(array: NDArray[np.generic], path: Path, where: str | None) -> Bands:
    """Return an array as bands.

    Raises:
        DataError: the array has another shape than ``[H, W]`` or ``[C, H, W]``.
    """
    shape = array.shape
    is_channels_last = len(shape) == 3 and is_band_axis(shape[2], shape[:2])
    if len(shape) not in (2, 3) or 0 in shape or is_channels_last:
        hint = ", which looks like [height, width, bands]" if is_channels_last else ""
        raise DataError(
            f"{path} has the shape {list(shape)}{hint}, expected [bands, height, width]",
            where=where,
            next_step="save the image as [bands, height, width], such as "
            "`np.save(path, pixels.transpose(2, 0, 1))`",
        )
    return Bands(array if len(shape) == 3 else array[None])


def is_band_axis(count: int, others: Sequence[int]) -> bool:
    """Return whether an axis of an array is so short that it must be the bands of an image.

    Args:
        count: length of the axis.
        others: lengths of the other two axes.

    Returns:
        True for at most 4 beside longer axes, and for at most a quarter of the shorter other axis.
    """
    return count <= 4 < min(others) or 4 * count <= min(others)


def _require_pixels(count: int, path: Path, where: str | None, size: int = 1) -> None:
    """Check that an image is within Pillow's limit, which bounds memory.

    Args:
        count: its numbers.
        path: the file.
        where: reference to the file in the data set.
        size: bytes of a number; the limit is smaller for more than two.

    Raises:
        DataError: it has more numbers.
    """
    if Image.MAX_IMAGE_PIXELS is None:
        return
    limit = 2 * Image.MAX_IMAGE_PIXELS * 2 // max(size, 2)
    if count > limit:
        raise _size_error(f"{path} has {count} numbers of {size} bytes", limit, where)


def _decoding_error(path: Path, where: str | None, error: Exception) -> DataError:
    if isinstance(error, _BOMB) and Image.MAX_IMAGE_PIXELS is not None:
        return _size_error(f"{path} is too large", 2 * Image.MAX_IMAGE_PIXELS, where)
    # An error of the system would repeat the path.
    reason = (isinstance(error, OSError) and error.strerror) or error
    return DataError(
        f"{path} cannot be decoded: {reason}",
        where=where,
        next_step="check that an image viewer opens the file",
    )


def _size_error(what: str, limit: int, where: str | None) -> DataError:
    return DataError(
        f"{what}, at most {limit} pixels can be read",
        where=where,
        next_step="reduce the image, or cut it into tiles",
    )
