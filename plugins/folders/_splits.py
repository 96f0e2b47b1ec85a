"""Class folders of each split and the images in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlsearch.plugin import DataError, list_images

from ._settings import FoldersSettings

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Usual names of the folders of a split."""

MAX_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """Images of one split.

    Attributes:
        folder: folder of the class folders.
        images: class name and path of every image, by class and path.
        empty: names of class folders without images.
        unused: images beside the class folders, which have no class.
    """

    folder: Path
    images: tuple[tuple[str, Path], ...]
    empty: tuple[str, ...]
    unused: tuple[Path, ...]

    @classmethod
    def read(cls, folder: Path) -> ClassFolders:
        """List the images of one split.

        Args:
            folder: folder of the class folders.

        Returns:
            The images.

        Raises:
            DataError: the folder does not exist or contains no class folder.
        """
        if not folder.is_dir():
            raise DataError("the folder of the class folders does not exist", where=str(folder))
        classes = sorted(
            path.name for path in folder.iterdir() if path.is_dir() and not _is_hidden(path)
        )
        images = list_images(folder)
        by_class: dict[str, list[Path]] = {name: [] for name in classes}
        unused = []
        for path in images:
            below = path.relative_to(folder).parts
            if len(below) > 1:
                by_class[below[0]].append(path)
            else:
                unused.append(path)
        if len(unused) == len(images):
            raise DataError(
                "no folder of a class contains an image",
                where=str(folder),
                next_step="put the images of each class into a folder with the name of the class, "
                "or set `root` of the source to the folder of these folders",
            )
        return cls(
            folder,
            tuple((name, path) for name in classes for path in by_class[name]),
            tuple(name for name in classes if not by_class[name]),
            tuple(unused),
        )

    @property
    def warnings(self) -> list[str]:
        """What is ignored: empty class folders and images without a class."""
        messages = []
        if self.empty:
            messages.append(
                f"{_examples(self.empty)} in {self.folder} contain(s) no images and is ignored"
            )
        if self.unused:
            names = [path.name for path in self.unused]
            messages.append(
                f"{len(names)} image(s) in {self.folder} are in no class folder and not used: "
                f"{_examples(names)}"
            )
        return messages


def split_folders(settings: FoldersSettings, root: Path) -> Mapping[str, Path]:
    """Return the folder of each split that exists.

    Args:
        settings: options of the source.
        root: folder of the source.

    Returns:
        Folders by split; ``train`` always.

    Raises:
        DataError: the source's root contains folders of splits and other folders with images.
    """
    configured = {"train": settings.train, "val": settings.val, "test": settings.test}
    folders = {split: root / path for split, path in configured.items() if path is not None}
    if settings.train is None:
        train = _existing(root, "train")
        if train is None:
            return {"train": root, **folders}
        folders["train"] = train
        for split in ("val", "test"):
            if split not in folders and (existing := _existing(root, split)):
                folders[split] = existing
        _require_only_splits(root, set(folders.values()))
    return folders


def _existing(root: Path, split: str) -> Path | None:
    paths = [root / name for name in SPLIT_FOLDERS[split]]
    return next((path for path in paths if path.is_dir()), None)


def _require_only_splits(root: Path, used: set[Path]) -> None:
    """Check that no folder beside those of the splits has images: it could be a class."""
    others = [
        path
        for path in sorted(root.iterdir())
        if path.is_dir() and path not in used and not _is_hidden(path) and list_images(path)
    ]
    if others:
        raise DataError(
            f"the folder 'train' may be a split or a class: {_examples([p.name for p in others])} "
            "beside it contain(s) images too",
            where=str(root),
            next_step="set `train` of the source to `.` if these folders are classes, or to "
            "`train` if they are not used",
        )


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name == "__MACOSX"


def _examples(names: Sequence[str]) -> str:
    rest = len(names) - MAX_EXAMPLES
    shown = ", ".join(repr(name) for name in names[:MAX_EXAMPLES])
    return f"{shown} and {rest} more" if rest > 0 else shown
