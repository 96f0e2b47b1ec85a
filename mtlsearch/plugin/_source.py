"""Contract of a data source."""

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
    """Images and labels of one format, in the splits ``train``, ``val`` and ``test``.

    Opening a source reads its index (a manifest, a JSON file, a list of names), not its images.
    A label that an image lacks is a missing label. Invalid data is a
    :class:`~mtlsearch.errors.DataError` that names the file and the row.

    Sources must be picklable, because data loading may run in other processes.

    Attributes:
        name: name in run files (``data.sources``), such as ``"coco"``.
        summary: one line for ``mtlsearch list datasets``.
        label_summary: names and forms of the labels, one line for ``mtlsearch list datasets NAME``,
            such as ``"`boxes` (boxes)"``; empty to show none.
        example: settings for files of one's own as YAML, such as ``"train: train.json"``, which
            ``mtlsearch init`` shows beside ``kind`` and ``root``; empty if the defaults fit.
        generated: whether the source draws its images itself, so that it needs neither files
            nor settings. ``mtlsearch init`` can start from such a source.
        Settings: pydantic model of the options in a run file.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    label_summary: ClassVar[str] = ""
    example: ClassVar[str] = ""
    generated: ClassVar[bool] = False
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    @abstractmethod
    def __init__(self, settings: SettingsT, *, root: Path, seed: int) -> None:
        """Open the source.

        Args:
            settings: an instance of :attr:`Settings`.
            root: folder to which relative paths refer.
            seed: seed of generated data.

        Raises:
            DataError: the index is missing or invalid.
        """

    @property
    @abstractmethod
    def labels(self) -> Mapping[str, LabelSpec]:
        """Labels that images of this source can have, by name, in a fixed order."""

    @property
    def warnings(self) -> Sequence[str]:
        """What the source changed or ignored when it was opened, one line each; none by default.

        Commands print these lines after ``warning:``, such as
        ``"8 path(s) in train.json contain backslashes, which are read as '/'"``.
        """
        return ()

    @abstractmethod
    def size(self, split: str) -> int:
        """Return the number of images in a split.

        Args:
            split: name of the split.

        Returns:
            The number; 0 if the source does not have this split.
        """

    @abstractmethod
    def read(self, split: str, index: int) -> Sample:
        """Decode one image and its labels.

        Args:
            split: name of the split.
            index: index in the split, from 0.

        Returns:
            The sample, equal for each call.

        Raises:
            DataError: the file is missing or broken; the message names the file and its row.
        """

    def files(self, split: str, index: int) -> Sequence[Path] | None:
        """Return the files from which an image and its labels are read.

        The image cache is valid as long as these files, the settings and the source's code do
        not change.

        Args:
            split: name of the split.
            index: index in the split, from 0.

        Returns:
            Paths, also of files that do not exist; of the files that not all images share, that
            of the image is the first. None, the default, means that the sample does not depend
            on files; it is then decoded in every run.
        """
        return None

    def written_labels(self, split: str, index: int) -> bytes | None:
        """Return the labels of an image as its files write them, without reading the image.

        A search refuses to resume if they changed. Masks and maps are not part of them.

        Args:
            split: name of the split.
            index: index in the split, from 0.

        Returns:
            Such as the cells of a row or the text of a label file, without absolute paths. None,
            the default, means that the labels are in files that :meth:`files` returns for several
            images, such as a table: a change of its content counts as a change of the labels.
        """
        return None

    def group(self, split: str, index: int) -> str | None:
        """Return the group of an image: images that are not independent of each other.

        Examples are photographs of one plant or frames of one video. Standard errors and confidence
        intervals treat the images of a group as one.

        Args:
            split: name of the split.
            index: index in the split, from 0.

        Returns:
            Name of the group, unique within the source; None, the default, if the image is
            independent of all others.
        """
        return None

    @abstractmethod
    def locate(self, split: str, index: int) -> str:
        """Return the origin of an image for messages.

        Args:
            split: name of the split.
            index: index in the split, from 0.

        Returns:
            Such as ``"manifest.csv row 12 (images/2.jpg)"``; unique within the source.
        """
