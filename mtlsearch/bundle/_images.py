"""Reader for images to predict."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from mtlsearch.errors import DataError


def read_image(path: Path) -> Image.Image:
    """Read a picture as RGB, rotated by its EXIF orientation.

    Args:
        path: the file, in any format and mode of Pillow.

    Returns:
        The picture in mode RGB.

    Raises:
        DataError: the file does not exist, is a folder or cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            "the file does not exist", where=str(path), next_step="check the path"
        ) from error
    except IsADirectoryError as error:
        raise DataError(
            "this is a folder, expected a picture",
            where=str(path),
            next_step="give the pictures in it, such as FOLDER/*.jpg",
        ) from error
    # Pillow raises SyntaxError for a broken PNG and ValueError for invalid headers.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"the picture cannot be decoded: {error}",
            where=str(path),
            next_step="check that an image viewer opens the file",
        ) from error
