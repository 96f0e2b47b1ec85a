"""Source of class folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mtlsearch.plugin import DataError, DatasetSource, Form, LabelSpec, Sample, hookimpl, read_image

from ._settings import FoldersSettings
from ._splits import ClassFolders, split_folders


class Folders(DatasetSource[FoldersSettings]):
    """Class folders; see :mod:`mtlsearch_plugins.folders`.

    Args:
        settings: options of the source.
        root: folder of the data set.
        seed: not used.

    Raises:
        DataError: a folder is missing, there are no images, or a folder is not a class.
    """

    name = "folders"
    summary = "one folder of images per class, with or without a folder per split (ImageFolder)"
    label_summary = "`class` (category), or the name in `label`"
    Settings = FoldersSettings

    def __init__(self, settings: FoldersSettings, *, root: Path, seed: int) -> None:
        self.settings = settings
        if not root.is_dir():
            raise DataError("the folder of the source does not exist", where=str(root))
        self._splits = {
            split: ClassFolders.read(folder)
            for split, folder in split_folders(settings, root).items()
        }
        names = tuple(dict.fromkeys(name for name, _ in self._splits["train"].images))
        self._classes = settings.classes or names
        for folders in self._splits.values():
            self._require_classes(folders)

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        named = self.settings.classes or ()
        spec = LabelSpec(Form.CATEGORY, self._classes, named_classes=named)
        return {self.settings.label: spec}

    @property
    def warnings(self) -> Sequence[str]:
        return [message for folders in self._splits.values() for message in folders.warnings]

    def size(self, split: str) -> int:
        return len(self._splits[split].images) if split in self._splits else 0

    def read(self, split: str, index: int) -> Sample:
        name, path = self._entry(split, index)
        image = read_image(path, str(path))
        return Sample(image, {self.settings.label: self._classes.index(name)})

    def files(self, split: str, index: int) -> Sequence[Path]:
        return [self._entry(split, index)[1]]

    def written_labels(self, split: str, index: int) -> bytes:
        return self._entry(split, index)[0].encode(errors="replace")

    def locate(self, split: str, index: int) -> str:
        return str(self._entry(split, index)[1])

    def _entry(self, split: str, index: int) -> tuple[str, Path]:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, got index {index}")
        return self._splits[split].images[index]

    def _require_classes(self, folders: ClassFolders) -> None:
        unknown = sorted({name for name, _ in folders.images} - set(self._classes))
        if unknown:
            raise DataError(
                f"the folder {unknown[0]!r} is not a class"
                + (f", as {len(unknown) - 1} other(s)" if len(unknown) > 1 else ""),
                where=str(folders.folder),
                allowed=self._classes,
                next_step="rename or remove the folder, or list all classes in `classes` of the "
                "source",
            )


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Folders]]:
    """Register the source ``folders``."""
    return [Folders]
