"""Writing of image files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def save_picture(image: Image.Image, path: Path) -> None:
    """Write an image atomically; the suffix selects the format, PNG by default."""
    with atomic_write(path) as partial:
        image.save(partial, FORMATS.get(path.suffix.lower(), "PNG"))
