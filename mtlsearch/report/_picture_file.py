"""Picture files: their formats, and writing a figure to one."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from mtlsearch.errors import ConfigError
from mtlsearch.files import atomic_write

SUFFIXES = {".png": "png", ".svg": "svg", ".pdf": "pdf"}


def require_picture(path: Path, *, option: str = "--plot") -> None:
    """Check that the suffix of a file is a supported picture format.

    Args:
        path: the file; it need not exist.
        option: the option that names it, for the message.

    Raises:
        ConfigError: the suffix is not ``.png``, ``.svg`` or ``.pdf``.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"the picture format {path.suffix or 'without a suffix'} is not supported",
            where=f"{option} {path}",
            allowed=list(SUFFIXES),
        )


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure atomically, in the format of the suffix.

    Args:
        figure: the figure.
        path: a ``.png``, ``.svg`` or ``.pdf`` file.

    Raises:
        ConfigError: the suffix is not one of these.
    """
    require_picture(path)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=SUFFIXES[path.suffix.lower()])
