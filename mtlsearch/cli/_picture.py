"""Pictures on disk, which appear whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a picture; the format goes by the suffix, PNG where there is none known.

    It appears whole or not at all.
    """
    with atomic_write(path) as partial:
        image.save(partial, FORMATS.get(path.suffix.lower(), "PNG"))
