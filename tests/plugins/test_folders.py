"""Source ``folders``."""

from __future__ import annotations

from pathlib import Path

import pytest
from mtlsearch_plugins.folders import Folders
from PIL import Image

from mtlsearch.errors import DataError
from mtlsearch.testing import DatasetContract


def write_images(root: Path, *names: str) -> None:
    for index, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 24), (40 * index % 256, 90, 10)).save(file)


def make(root: Path, **settings: object) -> Folders:
    return Folders(Folders.Settings.model_validate(settings), root=root, seed=0)


class TestFolders(DatasetContract):
    def make_source(self, folder: Path) -> Folders:
        names = ("cat/1.png", "dog/2.JPG", "dog/deep/3.bmp", "cat/4.png")
        write_images(folder, *(f"train/{name}" for name in names), "valid/dog/5.png")
        return make(folder)


class TestFoldersWithoutSplits(DatasetContract):
    def make_source(self, folder: Path) -> Folders:
        write_images(folder, "cat/1.png", "dog/2.png", "dog/3.png", "big dog/4.png")
        return make(folder, label="breed")


def test_class_is_the_name_of_the_first_folder(tmp_path: Path) -> None:
    write_images(tmp_path, "big dog/a/1.png", "cat/2.png")
    source = make(tmp_path, label="breed")
    assert source.labels["breed"].classes == ("big dog", "cat")
    assert [source.read("train", index).labels["breed"] for index in (0, 1)] == [0, 1]
    assert source.size("val") == 0


def test_classes_set_order_and_may_be_absent(tmp_path: Path) -> None:
    write_images(tmp_path, "dog/1.png", "cat/2.png")
    source = make(tmp_path, classes=["dog", "cat", "cow"])
    assert [source.read("train", index).labels["class"] for index in (0, 1)] == [1, 0]
    with pytest.raises(DataError, match="folder 'cat' is not a class"):
        make(tmp_path, classes=["dog", "cow"])


def test_class_of_val_that_is_not_in_train_raises(tmp_path: Path) -> None:
    write_images(tmp_path, "train/dog/1.png", "train/cat/2.png", "val/cow/3.png")
    with pytest.raises(DataError, match="folder 'cow' is not a class") as caught:
        make(tmp_path)
    assert "cat, dog" in str(caught.value)


def test_folder_train_beside_classes_raises(tmp_path: Path) -> None:
    write_images(tmp_path, "train/1.png", "car/2.png", "train/x/3.png")
    with pytest.raises(DataError, match="may be a split or a class: 'car'"):
        make(tmp_path)
    assert make(tmp_path, train=".").labels["class"].classes == ("car", "train")


def test_empty_folders_and_loose_images_are_warnings(tmp_path: Path) -> None:
    write_images(tmp_path, "dog/1.png", "cat/2.png", "loose.png", ".hidden/3.png")
    (tmp_path / "empty").mkdir()
    first, second = make(tmp_path).warnings
    assert "'empty'" in first
    assert "'loose.png'" in second


def test_folder_without_class_folders_raises(tmp_path: Path) -> None:
    write_images(tmp_path, "1.png")
    with pytest.raises(DataError, match="no folder of a class contains an image"):
        make(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        make(tmp_path / "nowhere")
