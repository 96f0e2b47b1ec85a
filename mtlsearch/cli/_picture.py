"""Writing of image files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from mtlsearch.files import Outputs

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def save_picture(image: Image.Image, path: Path, outputs: Outputs) -> None:
    """Write an image atomically; the suffix selects the format, PNG by default.

    Raises:
        ConfigError: the path is a file that this command did not write.
    """
    with outputs.write(path) as partial:
        image.save(partial, FORMATS.get(path.suffix.lower(), "PNG"))
