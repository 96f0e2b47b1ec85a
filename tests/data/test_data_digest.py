"""The digest of the data changes with images and labels, and with nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from mtlsearch_plugins.manifest import Manifest
from mtlsearch_plugins.voc import Voc
from mtlsearch_plugins.yolo import Yolo
from PIL import Image

from mtlsearch.config import DataConfig
from mtlsearch.data import DataDigest, DataModule, describe_changes, differ_in_sizes_only, open_data
from tests.data.fake import MEAN, STD, Fake

LABELS = {"kind": {"form": "category"}, "area": {"form": "mask", "classes": ["background", "leaf"]}}
NUM_TRAIN, NUM_VAL = 4, 2


def write_data(folder: Path) -> Path:
    folder.mkdir(parents=True)
    lines = ["image,kind,area,split,note"]
    for index in range(NUM_TRAIN + NUM_VAL):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(folder / f"{index}.png")
        Image.new("L", (8, 8), index % 2).save(folder / f"mask{index}.png")
        split = "train" if index < NUM_TRAIN else "val"
        lines.append(f"{index}.png,{'ab'[index % 2]},mask{index}.png,{split},x")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def digest_of(folder: Path) -> DataDigest:
    data = open_manifest(folder)
    assert not data.selected_by_row
    return data.digest()


def open_manifest(folder: Path) -> DataModule:
    settings = Manifest.Settings.model_validate({"labels": LABELS})
    config = DataConfig.model_validate(
        {"root": folder, "sources": {"kind": "manifest"}, "image_size": 8}
    )
    source = Manifest(settings, root=folder, seed=0)
    return open_data([source], config, mean=MEAN, std=STD, seed=0)


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "manifest.csv"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_digest_is_equal_where_the_data_are(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    before = digest_of(folder)
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(folder, moved, copy_function=shutil.copyfile)
    for file in moved.iterdir():
        os.utime(file, (0, 0))
    header, *rows = (moved / "manifest.csv").read_text().splitlines()
    lines = [header, *reversed(rows), "unread.png,a,unread-mask.png,test,y"]
    (moved / "manifest.csv").write_text("\n".join(lines).replace(",x", ",z"))
    assert digest_of(moved) == before
    assert describe_changes(before, before) == []
    assert before["train"]["images"] == NUM_TRAIN


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("0.png,a,mask0.png,train,x\n", "", "train: 4 images then, 3 now"),
        ("5.png,b,mask5.png,val", "5.png,b,mask5.png,test", "val: 2 images then, 1 now"),
        ("0.png,a,", "0.png,b,", "train: the same 4 images with other labels"),
        ("0.png,a,mask0.png", "0.png,a,mask1.png", "train: 4 images, but not the same ones"),
    ],
)
def test_changed_rows_are_described(tmp_path: Path, old: str, new: str, line: str) -> None:
    folder = write_data(tmp_path / "data")
    before = digest_of(folder)
    edit(folder, old, new)
    assert describe_changes(before, digest_of(folder)) == [line]


OTHER_MASK = "train: the same 4 images with other labels: their files have other sizes"


def test_changed_mask_is_another_label(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    before = digest_of(folder)
    Image.effect_noise((8, 8), 50).save(folder / "mask0.png")
    now = digest_of(folder)
    assert describe_changes(before, now) == [OTHER_MASK]
    assert not differ_in_sizes_only(before, now)


def test_image_of_another_size_can_be_accepted(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    before = digest_of(folder)
    Image.effect_noise((8, 8), 50).save(folder / "0.png")
    now = digest_of(folder)
    line = "train: the same 4 images and labels, but files of other sizes"
    assert describe_changes(before, now) == [line]
    assert differ_in_sizes_only(before, now)


def test_earlier_digest_does_not_separate_files_of_labels(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    digest = digest_of(folder)
    earlier = {
        split: {key: value for key, value in part.items() if key != "label_sizes"}
        for split, part in digest.items()
    }
    assert earlier != digest
    assert describe_changes(earlier, digest) == []
    assert not differ_in_sizes_only(earlier, digest)
    Image.effect_noise((8, 8), 50).save(folder / "0.png")
    (line,) = describe_changes(earlier, digest_of(folder))
    assert line.endswith("of images or of labels, which an earlier version did not record")
    assert not differ_in_sizes_only(earlier, digest_of(folder))


def test_ends_of_lines_do_not_count(tmp_path: Path) -> None:
    text = "<annotation>\n  <object><name>cat</name></object>\n</annotation>\n"
    box = "0 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.1 0.1\n"
    for name in (
        "images/train/0",
        "images/train/1",
        "images/val/0",
        "JPEGImages/2",
        "JPEGImages/3",
    ):
        image = tmp_path / f"{name}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(image)
        is_voc = name.startswith("JPEG")
        label = tmp_path / (
            name.replace("JPEGImages", "Annotations").replace("images", "labels")
            + (".xml" if is_voc else ".txt")
        )
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_bytes((text if is_voc else box).encode())
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat]\n")
    table = "image,head\n" + "".join(f"JPEGImages/{i}.png,Annotations/{i}.xml\n" for i in (2, 3))
    (tmp_path / "manifest.csv").write_text(table)
    heads = Manifest.Settings.model_validate(
        {"labels": {"head": {"form": "boxes", "classes": ["cat"]}}}
    )
    kinds = ("yolo", "voc", "manifest")
    config = DataConfig.model_validate(
        {"root": tmp_path, "sources": [{"kind": kind} for kind in kinds], "image_size": 8}
    )

    def digest() -> DataDigest:
        sources = [
            Yolo(Yolo.Settings(), root=tmp_path, seed=0),
            Voc(Voc.Settings(), root=tmp_path, seed=0),
            Manifest(heads, root=tmp_path, seed=0),
        ]
        return open_data(sources, config, mean=MEAN, std=STD, seed=0).digest()

    before = digest()
    files = [*tmp_path.glob("labels/*/*"), *tmp_path.glob("Annotations/*")]
    assert len(files) == 5
    for file in files:
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert digest() == before
    (tmp_path / "labels" / "val" / "0.txt").write_bytes(box.replace("0.2", "0.3").encode())
    assert describe_changes(before, digest()) == ["val: the same 3 images with other labels"]


class Index(Fake):
    """Source that does not write its labels; all images share an index file."""

    def __init__(self, folder: Path) -> None:
        super().__init__({"train": [...], "val": [...]})  # type: ignore[list-item]
        self.folder = folder

    def files(self, split: str, index: int) -> list[Path]:
        return [self.folder / "index.txt", self.folder / f"{split}{index}.png"]


def test_index_counts_if_labels_are_not_written(tmp_path: Path) -> None:
    config = DataConfig.model_validate(
        {"root": tmp_path, "sources": {"kind": "fake"}, "image_size": 8}
    )

    def digest() -> DataDigest:
        return open_data([Index(tmp_path)], config, mean=MEAN, std=STD, seed=0).digest()

    (tmp_path / "index.txt").write_text("cat")
    before = digest()
    (tmp_path / "index.txt").write_text("dog")
    assert describe_changes(before, digest()) == [
        f"{split}: the same 1 images with other labels" for split in ("train", "val")
    ]
    before = digest()
    (tmp_path / "val0.png").write_text("its own file may contain its labels")
    assert not differ_in_sizes_only(before, digest())
    assert describe_changes(before, digest()) == [
        "val: the same 1 images with other labels: their files have other sizes"
    ]


def digest_of_two(folder: Path) -> DataDigest:
    """Return the digest of two sources over the same images, one per label."""
    config = DataConfig.model_validate(
        {"root": folder, "sources": [{"kind": "manifest"}, {"kind": "manifest"}], "image_size": 8}
    )
    sources = [
        Manifest(Manifest.Settings.model_validate({"labels": {name: label}}), root=folder, seed=0)
        for name, label in LABELS.items()
    ]
    return open_data(sources, config, mean=MEAN, std=STD, seed=0).digest()


def test_two_sources_of_the_same_images(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    before = digest_of_two(folder)
    table = folder / "manifest.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]))
    assert digest_of_two(folder) == before
    Image.effect_noise((8, 8), 50).save(folder / "0.png")
    assert describe_changes(before, digest_of_two(folder)) == [
        "train: the same 8 images and labels, but files of other sizes"
    ]
    (folder / "0.png").rename(folder / "new.png")
    edit(folder, "0.png,a", "new.png,a")
    assert describe_changes(before, digest_of_two(folder)) == [
        "train: 8 images, but not the same ones"
    ]


def test_mask_that_images_share_counts(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    edit(folder, "2.png,a,mask2.png", "2.png,a,mask0.png")
    before = digest_of(folder)
    Image.effect_noise((8, 8), 50).save(folder / "mask0.png")
    assert describe_changes(before, digest_of(folder)) == [OTHER_MASK]


def test_order_of_rows_is_named_where_it_selects_images(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    table = folder / "manifest.csv"
    table.write_text(table.read_text().replace(",split,", ",use,"))
    data = open_manifest(folder)
    assert data.selected_by_row
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *rows[1:], rows[0]]))
    changes = describe_changes(data.digest(), open_manifest(folder).digest(), selected_by_row=True)
    reason = "images, but not the same ones: the order of the rows decides"
    assert all(reason in line for line in changes)
    assert len(changes) == 2
