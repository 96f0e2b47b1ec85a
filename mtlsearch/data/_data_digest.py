"""Digest of the data: which images and labels the trials of a run were trained on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

from mtlsearch.config import DataConfig
from mtlsearch.data._images import Images
from mtlsearch.data._splits import ImageRef
from mtlsearch.errors import DataError
from mtlsearch.plugin import DatasetSource

DataDigest = Mapping[str, Mapping[str, Any]]
"""By split: the number of images, and digests of their names, of their labels, of the sizes of
their files, and of the sizes of those files that contain labels, if there are such. It can be
written as JSON."""

COMPARED = ("images", "names", "labels", "sizes")
"""What must be equal. ``label_sizes``, which ``sizes`` includes, is missing in older digests."""

TRAINED_SPLITS = ("train", "val")
"""Splits on which the numbers of a trial depend."""

TEXT_SUFFIXES = (".txt", ".xml")
"""Suffixes of files with the labels of one image, of which sources write the content."""


def digest_data(images: Images, config: DataConfig) -> DataDigest:
    """Compute a digest that is equal on all machines with the same data; read no image.

    It covers names relative to the root of the source, sizes of files, and labels as their source
    writes them, but neither the order of the images nor modification times.

    Args:
        images: the images of a run.
        config: the ``data`` section of its run file.

    Returns:
        The digest of ``train`` and ``val``.
    """
    roots = [_roots(config.root, config.root / (entry.root or "")) for entry in config.sources]
    while len(roots) < len(images.sources):  # sources that no run file names
        roots.append([])
    specs = [[repr(item) for item in source.labels.items()] for source in images.sources]
    files_by_split = {
        split: {ref: _files(images.sources[ref.source], ref) for ref in images.splits[split]}
        for split in TRAINED_SPLITS
    }
    indices, uses = _indices(files_by_split.values())
    return {
        split: {
            "images": images.size(split),
            **_digests(images.sources, files_by_ref, indices, uses, roots, specs),
        }
        for split, files_by_ref in files_by_split.items()
    }


def describe_changes(
    before: DataDigest, now: DataDigest, *, selected_by_row: bool = False
) -> list[str]:
    """Return in what two digests differ.

    Args:
        before: digest of the data of the trials.
        now: digest of the present data.
        selected_by_row: whether the order of the rows decides which images the splits contain.

    Returns:
        One line per split that differs, such as ``"train: 462 images then, 353 now"``.
    """
    lines = []
    for split in TRAINED_SPLITS:
        old, new = before.get(split, {}), now.get(split, {})
        count, is_equal = new.get("images"), {key: old.get(key) == new.get(key) for key in COMPARED}
        if all(is_equal.values()):
            continue
        if not is_equal.get("images"):
            lines.append(f"{split}: {old.get('images')} images then, {count} now")
        elif not is_equal.get("names"):
            reason = ": the order of the rows decides which are held out or selected"
            lines.append(
                f"{split}: {count} images, but not the same ones{reason if selected_by_row else ''}"
            )
        elif not is_equal.get("labels"):
            lines.append(f"{split}: the same {count} images with other labels")
        elif "label_sizes" in new and "label_sizes" not in old:
            lines.append(
                f"{split}: the same {count} images, but files of other sizes: of images or of "
                "labels, which an earlier version did not record"
            )
        elif old.get("label_sizes") != new.get("label_sizes"):
            lines.append(
                f"{split}: the same {count} images with other labels: their files have other sizes"
            )
        else:
            lines.append(f"{split}: the same {count} images and labels, but files of other sizes")
    return lines


def differ_in_sizes_only(before: DataDigest, now: DataDigest) -> bool:
    """Return whether two digests differ, and in nothing but the sizes of files of images.

    Args:
        before: digest of the data of the trials.
        now: digest of the present data.

    Returns:
        True for the same images in files of other sizes, and the same labels. False if labels are
        in files whose sizes differ, or are not in the digest of an earlier version.
    """

    def without_sizes(digest: DataDigest) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in digest.get(split, {}).items() if key != "sizes"}
            for split in TRAINED_SPLITS
        ]

    return before != now and without_sizes(before) == without_sizes(now)


def _digests(
    sources: Sequence[DatasetSource[Any]],
    files_by_ref: Mapping[ImageRef, Sequence[Path]],
    indices: Set[tuple[int, Path]],
    uses: Mapping[tuple[int, Path], int],
    roots: Sequence[Sequence[str]],
    specs: Sequence[Sequence[str]],
) -> dict[str, str]:
    names, labels, sizes, label_sizes, shared = [], [], [], [], set[Path]()
    for ref, files in files_by_ref.items():
        written = sources[ref.source].written_labels(ref.split, ref.index)
        # Without a file of its own, an image is in the index, such as an HDF5 file.
        own_files = [file for file in files if (ref.source, file) not in indices] or files
        if written is None:  # labels are in files that images share, or in the image's own
            shared.update(file for file in files if uses[ref.source, file] > 1)
        where = [_name(file, roots[ref.source]) for file in own_files]
        name = f"{ref.source} {where or (ref.split, ref.index)}".encode()
        names.append(name)
        labels.append(_short(name + b"\n" + (written or b"")))
        # Labels that are written count by content: git may change the ends of their lines.
        sized = [file for file in own_files if written is None or file.suffix not in TEXT_SUFFIXES]
        sizes.append(name + f"\n{[_size(file) for file in sized]}".encode())
        # The first file is the image. If no labels are written, it may contain them too.
        if label_files := sized if written is None else sized[1:]:
            label_sizes.append(name + f"\n{[_size(file) for file in label_files]}".encode())
    labels += [_content(file) for file in shared]
    labels += [text.encode() for spec in specs for text in spec]
    parts = {"names": names, "labels": labels, "sizes": sizes}
    if label_sizes:
        parts["label_sizes"] = label_sizes
    return {key: _short(b"\n".join(sorted(lines))).hex() for key, lines in parts.items()}


def _indices(
    splits: Iterable[Mapping[ImageRef, Sequence[Path]]],
) -> tuple[Set[tuple[int, Path]], Mapping[tuple[int, Path], int]]:
    """Return files that all images of a source or of its split share, and uses of each file.

    Both are by source, because two sources may read labels of the same images.
    """
    num_images, by_group = (
        Counter[tuple[int, str | None]](),
        Counter[tuple[int, str | None, Path]](),
    )
    for ref, files in (item for split in splits for item in split.items()):
        for group in (None, ref.split):
            num_images[ref.source, group] += 1
            by_group.update((ref.source, group, file) for file in set(files))
    indices = {
        (source, file)
        for (source, group, file), count in by_group.items()
        if count == num_images[source, group] > 1
    }
    uses = {(source, file): by_group[source, None, file] for source, _, file in by_group}
    return indices, uses


def _files(source: DatasetSource[Any], ref: ImageRef) -> Sequence[Path]:
    try:
        return source.files(ref.split, ref.index) or ()
    except DataError:  # reported when the image is read
        return ()


def _roots(*folders: Path) -> list[str]:
    """Return the folders as beginnings of paths, the longest first."""
    return sorted({f"{folder}{os.sep}" for folder in folders}, key=len, reverse=True)


def _name(file: Path, roots: Sequence[str]) -> str:
    """Return a path relative to the first root that contains it, else the file's name."""
    text = str(file)
    return next(
        (text[len(root) :].replace(os.sep, "/") for root in roots if text.startswith(root)),
        file.name,
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _content(file: Path) -> bytes:
    """Return a digest of a file, such as an index of a source that does not write its labels."""
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").digest()
    except OSError:
        return b"missing"


def _short(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
