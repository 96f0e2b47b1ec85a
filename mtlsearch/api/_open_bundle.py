"""``mtlsearch.open_bundle``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtlsearch.api._terms import in_python_terms

if TYPE_CHECKING:
    from mtlsearch.bundle import Bundle


@in_python_terms
def open_bundle(
    path: str | os.PathLike[str], *, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> Bundle:
    """Open an exported bundle after checking its files.

    Args:
        path: folder of the bundle.
        providers: execution providers of ONNX Runtime, the preferred one first.

    Returns:
        The bundle: ``predict(images)``, ``draw(image, predictions)``, ``describe()``.

    Raises:
        ExportError: the folder is not a bundle, or a file is missing, damaged or inconsistent.
    """
    from mtlsearch.bundle import open_bundle as open_folder

    return open_folder(os.fspath(path), providers=providers)
