"""The contract of a data set source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic

from mtlsearch.plugin._settings import Settings as PluginSettings
from mtlsearch.plugin._settings import SettingsT

if TYPE_CHECKING:
    from pathlib import Path

    from mtlsearch.labels import LabelSpec, Sample


class DatasetSource(ABC, Generic[SettingsT]):
    """Images with whatever labels they have, in splits.

    Opening a source reads its index (a manifest, a JSON, a list of names), not its
    images. What a single image lacks is an ordinary missing label; what is *wrong* is a
    :class:`~mtlsearch.errors.DataError` that names the file and the row.

    Attributes:
        name: the name by which run files ask for it, such as ``"coco"``.
        summary: one line for ``mtlsearch list datasets``.
        generated: whether it draws its images itself and so works with no files and no
            settings; ``mtlsearch init`` writes a run file that starts from such a source.
        Settings: its options in a run file.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    generated: ClassVar[bool] = False
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    @abstractmethod
    def __init__(self, settings: SettingsT, *, root: Path, seed: int) -> None:
        """Open the source.

        Args:
            settings: an instance of :attr:`Settings`.
            root: the folder that relative paths start from.
            seed: seed of whatever it generates.

        Raises:
            DataError: the index is missing or cannot be read.
        """

    @property
    @abstractmethod
    def labels(self) -> Mapping[str, LabelSpec]:
        """The labels its images may have, by name, in a fixed order."""

    @abstractmethod
    def size(self, split: str) -> int:
        """How many images a split (``train``, ``val`` or ``test``) has; 0 where there is none."""

    @abstractmethod
    def read(self, split: str, index: int) -> Sample:
        """Decode one image and its labels; the same every time.

        Raises:
            DataError: the file is missing or broken; the message names it and its row.
        """

    def files(self, split: str, index: int) -> Sequence[Path] | None:
        """The files that an image and its labels are read from, whether they are there or not.

        As long as none of them changes, nor the settings, nor the source's code, the image is
        not decoded again. None, the default, says that there are no such files: the image is
        then decoded once a run.
        """
        return None

    @abstractmethod
    def locate(self, split: str, index: int) -> str:
        """Where an image comes from, for messages: ``"manifest.csv row 12 (images/2.jpg)"``."""
