"""Data files that refer to files outside of the data root are refused, unless allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from mtlsearch.config import load_run
from mtlsearch.errors import DataError
from mtlsearch.files import Roots
from mtlsearch.plugin import DatasetSource
from mtlsearch.registry import PluginRegistry, build_registry

XML = "<annotation><object><name>cat</name></object></annotation>"


def manifest(root: Path, image: str) -> str:
    (root / "t.csv").write_text(f"image,cls\nin.png,cat\n{image},dog\n")
    return "{kind: manifest, file: t.csv, labels: {cls: {form: category}}}"


def mask(root: Path, image: str) -> str:
    (root / "t.csv").write_text(f"image,mask\nin.png,{image}\n")
    return "{kind: manifest, file: t.csv, labels: {mask: {form: mask, classes: [a, b]}}}"


def coco(root: Path, image: str) -> str:
    images = [
        {"id": index, "file_name": name, "width": 4, "height": 4}
        for index, name in enumerate(["in.png", image])
    ]
    content = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    (root / "t.json").write_text(json.dumps(content))
    return "{kind: coco, train: t.json}"


def voc_list(root: Path, image: str) -> str:
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "train.txt").write_text(f"in.png\n{image}\n")
    (root / "Annotations").mkdir()
    (root / "Annotations" / "in.xml").write_text(XML)
    return "{kind: voc, images: .}"


def yolo_folder(root: Path, image: str) -> str:
    (root / "in.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (root / "data.yaml").write_text(f"train: list.txt\nval: {Path(image).parent}\nnames: [cat]\n")
    (root / "list.txt").write_text("in.png\n")
    return "{kind: yolo}"


def yolo_list(root: Path, image: str) -> str:
    (root / "in.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (root / "data.yaml").write_text("train: list.txt\nval: list.txt\nnames: [cat]\n")
    (root / "list.txt").write_text(f"in.png\n{image}\n")
    return "{kind: yolo}"


@cache
def registry() -> PluginRegistry:
    return build_registry()


SOURCES = [manifest, mask, coco, voc_list, yolo_folder, yolo_list]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the data root, which is a link; ``tmp_path/outside`` has an image."""
    for folder in (tmp_path / "disk", tmp_path / "outside"):
        folder.mkdir()
        Image.new("L", (4, 4)).save(folder / ("in.png" if folder.name == "disk" else "a.png"))
    (tmp_path / "outside" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data").symlink_to("disk", target_is_directory=True)
    (tmp_path / "disk" / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    (tmp_path / "disk" / "link.png").symlink_to(tmp_path / "outside" / "a.png")
    return tmp_path / "data"


def open_source(root: Path, source: str, allows: bool = False) -> DatasetSource:
    (root.parent / "run.yaml").write_text(
        f"data: {{root: data, sources: {source}, allow_outside_root: {str(allows).lower()}}}\n"
        "tasks: {cls: {kind: classification}}\nsearch: {space: tree}\n"
    )
    (opened,) = registry().resolve(load_run(root.parent / "run.yaml")).open_sources()
    return opened


@pytest.mark.parametrize("kind", ["relative", "absolute", "link"])
@pytest.mark.parametrize("write", SOURCES)
def test_image_outside_of_the_root_is_refused_unless_allowed(
    root: Path, write: Callable[[Path, str], str], kind: str
) -> None:
    outside = {
        "relative": "../outside/a.png",
        "absolute": str(root.parent / "outside" / "a.png"),
        "link": "link/a.png",
    }[kind]
    source = write(root, outside)
    with pytest.raises(DataError, match="leaves the data root") as caught:
        open_source(root, source)
    assert "run.yaml:1" in str(caught.value.where)
    opened = open_source(root, source, allows=True)
    assert sum(opened.size(split) for split in ("train", "val")) > 0


def test_linked_image_is_refused_and_named_with_its_row(root: Path) -> None:
    with pytest.raises(DataError, match=r"which leads to .*outside.a.png") as caught:
        open_source(root, manifest(root, "link.png"))
    assert "t.csv row 3 (link.png)" in str(caught.value.where)


@pytest.mark.parametrize(
    "name",
    [
        "t.csv",
        "t.json",
        "data.yaml",
        "list.txt",
        "ImageSets/Main/train.txt",
        "Annotations/in.xml",
    ],
)
def test_linked_index_file_outside_is_not_read(root: Path, name: str) -> None:
    write = {"t.csv": manifest, "t.json": coco, "ImageSets/Main/train.txt": voc_list}
    write |= {"Annotations/in.xml": voc_list}
    source = write.get(name, yolo_list)(root, "in.png" if name == "t.csv" else "in2.png")
    Image.new("L", (4, 4)).save(root / "in2.png")
    target = root.parent / "outside" / "index"
    target.write_bytes((root / name).read_bytes())
    (root / name).unlink()
    (root / name).symlink_to(target)
    with pytest.raises(DataError, match=r"leaves the data root|contain no class"):
        open_source(root, source)


def test_root_of_a_source_can_be_outside_of_the_data_root(root: Path) -> None:
    outside = root.parent / "outside"
    (outside / "t.csv").write_text("image,cls\na.png,cat\n")
    source = "{kind: manifest, root: %s, file: t.csv, labels: {cls: {form: category}}}"
    assert open_source(root, source % outside).size("train") == 1
    assert open_source(root, source % "../outside").size("train") == 1
    assert open_source(root, source % "link").size("train") == 1


@pytest.mark.parametrize("is_absolute", [False, True])
def test_paths_in_the_run_file_can_be_outside_of_the_data_root(
    root: Path, is_absolute: bool
) -> None:
    outside = root.parent / "outside"
    base = str(outside) if is_absolute else "../outside"
    (outside / "t.csv").write_text("image,cls\nin.png,0\n")
    (outside / "classes.txt").write_text("cat\ndog\n")
    label = f"{{form: category, classes_file: {base}/classes.txt, index_offset: 0}}"
    source = f"{{kind: manifest, file: {base}/t.csv, labels: {{cls: {label}}}}}"
    assert open_source(root, source).size("train") == 1
    coco(outside, "a.png")
    source = f"{{kind: coco, train: {base}/t.json, images: {{train: {base}}}}}"
    assert open_source(root, source).size("train") == 2
    (outside / "data.yaml").write_text(f"path: {root}\ntrain: l.txt\nval: l.txt\nnames: [cat]\n")
    (root / "l.txt").write_text("in.png\n")
    (root / "in.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    assert open_source(root, f"{{kind: yolo, file: {base}/data.yaml}}").size("val") == 1


def test_paths_in_a_table_outside_are_confined(root: Path) -> None:
    outside = root.parent / "outside"
    (outside / "t.csv").write_text("image,cls\nin.png,cat\n../outside/a.png,dog\n")
    source = "{kind: manifest, file: ../outside/t.csv, labels: {cls: {form: category}}}"
    with pytest.raises(DataError, match=r"outside/a.png.* leaves the data root") as caught:
        open_source(root, source)
    assert caught.value.allowed[-1].endswith("outside/t.csv")


def test_a_file_that_many_rows_name_is_checked_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{index}.png,cat\n" for index in range(20))
    (root / "t.csv").write_text(f"image,cls\nin.png,cat\n{rows}")
    checked: list[Path] = []
    contains = Roots.contains

    def count(roots: Roots, path: Path) -> bool:
        checked.append(path)
        return contains(roots, path)

    monkeypatch.setattr(Roots, "contains", count)
    source = "{kind: manifest, file: t.csv, labels: {cls: {form: category}}}"
    assert open_source(root, source).size("train") == 21
    # Once before it is read, and once together with the images.
    assert checked.count(root / "t.csv") == 2
    assert len(checked) == 23


def test_half_a_surrogate_pair_is_refused_only_where_it_is_used(root: Path) -> None:
    row = '{"image": "in.png", "cls": "%s", "note": "%s"}\n'
    source = "{kind: manifest, file: t.jsonl, labels: {cls: {form: category}}}"
    (root / "t.jsonl").write_text(row % ("cat", "\\ud83d"))
    assert open_source(root, source).size("train") == 1
    (root / "t.jsonl").write_text(row % ("cat\\ud83d", ""))
    with pytest.raises(DataError, match="surrogate pair") as caught:
        open_source(root, source)
    assert "row 1, column 'cls'" in str(caught.value.where)

    source = coco(root, "in2.png")
    content = json.loads((root / "t.json").read_text())
    content["info"] = content["images"][0]["license"] = "\ud83d"
    (root / "t.json").write_text(json.dumps(content))
    assert open_source(root, source).size("train") == 2
    for key in ("id", "name"):
        category = {"id": 1, "name": "cat"} | {key: "a\ud83d"}
        (root / "t.json").write_text(json.dumps(content | {"categories": [category]}))
        with pytest.raises(DataError, match=r"surrogate pair|unicode"):
            open_source(root, source)
