"""Photographs read from disk."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from mtlsearch.errors import DataError


def read_image(path: Path) -> Image.Image:
    """A picture as RGB, turned as its camera says.

    Raises:
        DataError: there is no such file, it is a folder, or it is no whole picture.
    """
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            "there is no such file", where=str(path), next_step="see that the path is right"
        ) from error
    except IsADirectoryError as error:
        raise DataError(
            "this is a folder, not a picture",
            where=str(path),
            next_step="name the pictures in it, such as FOLDER/*.jpg",
        ) from error
    # Pillow says SyntaxError of a broken PNG, ValueError of odd headers.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"not a picture that can be read: {error}",
            where=str(path),
            next_step="see that the file opens in an image viewer",
        ) from error
