"""Outputs of a command: files that it writes, and never a file of the user."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mtlsearch.errors import ConfigError
from mtlsearch.files._atomic import atomic_write
from mtlsearch.files._names import IMAGE_SUFFIXES, name_key

RECORD = ".mtlsearch-outputs.jsonl"
"""File in each output folder. A line has name, SHA-256, command and source of one output."""

FOLDER = "a folder"

MAX_NAME = 255
"""Largest number of bytes of a file's name."""

MAX_NAMES = 3
"""Number of files that a message lists."""


class Outputs:
    """Writer of the files of one call of a command.

    A file is replaced only if it is unchanged since the same command wrote it from the same
    source. The folder's :data:`RECORD` contains the checksums. Any other file, link or folder
    with that name belongs to the user, and so does every input of the call.

    Args:
        command: name of the command, such as ``"predict"``.
        inputs: files that this call reads.
    """

    def __init__(self, command: str, inputs: Iterable[Path] = ()) -> None:
        self._command = command
        self._inputs = frozenset(filter(None, map(_identity, inputs)))
        self._written: set[tuple[Path, str]] = set()
        self._records: dict[Path, set[str]] = {}

    def check(self, files: Mapping[Path, Path | None]) -> None:
        """Check that files may be written, before a command does any work.

        Args:
            files: file from which each output is made, by path of the output; None without one.

        Raises:
            ConfigError: an output would replace an input or another file of the user.
        """
        refused: dict[str, list[str]] = {}
        for path, source in files.items():
            if reason := self._reason(path, source):
                refused.setdefault(reason, []).append(str(path))
        for reason, paths in refused.items():
            num_more = len(paths) - MAX_NAMES
            more = f" and {num_more} more" if num_more > 0 else ""
            raise ConfigError(
                f"{'the output' if len(paths) == 1 else f'{len(paths)} outputs'} would replace "
                f"{reason}",
                where=", ".join(paths[:MAX_NAMES]) + more,
                next_step="add the name of a file to the path, or set another output path"
                if reason == FOLDER
                else "set another output path, or move these files",
            )

    def check_folder(self, folder: Path) -> None:
        """Check that a folder contains no images of the user, beside which pictures are data.

        Args:
            folder: the folder in which a command writes pictures; it may be missing.

        Raises:
            ConfigError: the folder contains an image that no command wrote.
        """
        images = [] if not folder.is_dir() else [*_foreign_images(folder, self._lines(folder))]
        if images:
            num_more = len(images) - 1
            more = f" and {num_more} more" if num_more else ""
            raise ConfigError(
                f"the output folder contains images that mtlsearch did not write: {images[0]}"
                f"{more}; pictures beside them can be taken for data",
                where=str(folder),
                next_step="set the output to a new folder outside of the data",
            )

    @contextmanager
    def write(self, path: Path, *, source: Path | None = None) -> Iterator[Path]:
        """Yield a temporary path beside ``path``, record its contents and rename it.

        Args:
            path: the file to write; its parent folders are created.
            source: file from which the output is made.

        Yields:
            The path to write to, with the suffix of ``path``.

        Raises:
            ConfigError: ``path`` is an input or another file of the user.
            OSError: the file cannot be written.
        """
        self.check({path: source})
        with atomic_write(path) as temporary:
            yield temporary
            # Recorded before it is renamed: a kill in between leaves no unknown file.
            self._record(path, _digest(temporary), source)
            self.check({path: source})
        self._written.add(_key(path))

    def remove_earlier(self, folders: Iterable[Path]) -> None:
        """Remove what earlier calls of the command wrote without a source, so that nothing mixes.

        Files that were changed since, outputs of this call and inputs are kept.

        Args:
            folders: folders of the outputs; they may be missing.
        """
        for folder in folders:
            for line in sorted(self._lines(folder)):
                path = folder / _name_in(line)
                if path.is_file() and self._reason(path, None) is None:
                    path.unlink()

    def _reason(self, path: Path, source: Path | None) -> str | None:
        """Return whose file a path is if it must not be written, else None."""
        if _key(path) in self._written:
            return "another output of this command"
        if not os.path.lexists(path):
            return None
        if _identity(path) in self._inputs:
            return "an input of this command"
        if path.is_symlink():
            return "a link"
        if path.is_dir():
            return FOLDER
        if not path.is_file():
            return "a device"
        if self._line(path, _digest(path), source) not in self._lines(path.parent):
            return f"a file that `mtlsearch {self._command}` did not write, or that was changed"
        return None

    def _line(self, path: Path, sha256: str, source: Path | None) -> str:
        """Return the line of a record for a file, ASCII without line breaks."""
        return json.dumps([path.name, sha256, self._command, _relative(source, path.parent)])

    def _record(self, path: Path, sha256: str, source: Path | None) -> None:
        line, lines = self._line(path, sha256, source), self._lines(path.parent)
        if line not in lines:
            with (path.parent / RECORD).open("a", encoding="ascii") as file:
                file.write(line + "\n")
            lines.add(line)

    def _lines(self, folder: Path) -> set[str]:
        """Return the lines of a folder's record; a partial line fits no file."""
        if folder not in self._records:
            self._records[folder] = _read_record(folder)
        return self._records[folder]


def unchanged_outputs(folder: Path) -> list[Path]:
    """Return the files in a folder that are as a command wrote them there.

    Args:
        folder: the folder.

    Returns:
        Paths of the files that the folder's :data:`RECORD` lists with their checksum.
    """
    lines_by_name: dict[str, set[str]] = {}
    for line in _read_record(folder):
        if name := _name_in(line):
            lines_by_name.setdefault(name, set()).add(line)
    return [
        path
        for name, lines in sorted(lines_by_name.items())
        if (path := folder / name).is_file()
        and any(f'"{digest}"' in line for digest in [_digest(path)] for line in lines)
    ]


def _read_record(folder: Path) -> set[str]:
    record = folder / RECORD
    text = record.read_text("ascii", "replace") if record.is_file() else ""
    return set(text.splitlines())


def _foreign_images(folder: Path, lines: Iterable[str]) -> Iterator[str]:
    """Yield the names of the images in a folder that its record does not list."""
    recorded = {_name_in(line) for line in lines}
    for path in sorted(folder.iterdir()):
        is_image = path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        if is_image and path.name not in recorded and path.is_file():
            yield path.name


def _name_in(line: str) -> str:
    """Return the name of the file in a line of a record; empty if the line is damaged."""
    match = re.match(r'\["((?:[^"\\]|\\.)*)", ', line)
    try:
        name = str(json.loads(f'"{match[1]}"')) if match else ""
        name.encode()  # raises for half of a surrogate pair
    except ValueError:
        return ""
    # Without separators, a name cannot refer to another folder.
    is_name = name not in {".", ".."} and not any(mark in name for mark in "/\\\0")
    return name if is_name and len(name.encode()) <= MAX_NAME else ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and file number, equal for all names of a file; None without a file."""
    if not path.exists():
        return None
    status = path.stat()
    return status.st_dev, status.st_ino


def _key(path: Path) -> tuple[Path, str]:
    """Return a value that is equal for names that one file can have on any disk."""
    return path.parent.resolve(), name_key(path.name)


def _relative(source: Path | None, folder: Path) -> str:
    if source is None:
        return ""
    source, folder = source.resolve(), folder.resolve()
    if source.drive != folder.drive:
        return source.as_posix()
    return Path(os.path.relpath(source, folder)).as_posix()
