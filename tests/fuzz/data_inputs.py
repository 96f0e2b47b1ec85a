"""Data sets of each source."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.pictures import HEIGHT, WIDTH, noise


def run_of(source: str, tasks: str) -> str:
    return (
        f"data: {{root: ., sources: {source}, image_size: 16, cache: null}}\n"
        f"tasks: {tasks}\nbackbone: {{name: test_resnet}}\nsearch: {{space: tree}}\n"
    )


LABELS = (
    "{cls: {form: category, classes: [x, y], index_offset: 0}, tags: {form: categories}, "
    "boxes: {form: boxes, classes: [person, dog]}, mask: {form: mask, classes: [a, b]}, "
    "depth: {form: map, scale: 0.5}}"
)
ROWS = [
    ["image", "cls", "tags", "boxes", "mask", "depth", "split"],
    ["i0.png", "0", "a;b", "x0.xml", "m0.png", "d0.npy", "train"],
    ["i1.png", "1", "a", '[[1, 2, 9, 9, "person"]]', "m1.png", "d1.npy", "train"],
    ["i2.png", "0", "b", '[{"box": [1, 2, 9, 9], "class": "dog", "crowd": 0}]', "", "", "val"],
    ["i3.png", "1", "", "[]", "m3.png", "d3.npy", "val"],
]
BOX_XML = (
    "<?xml version='1.0' encoding='UTF-8'?><annotation><folder>x</folder>"
    "<filename>i0.png</filename>"
    f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>\n"
    "<object><name>person</name><difficult>0</difficult><bndbox><xmin>2</xmin><ymin>3</ymin>"
    "<xmax>12</xmax><ymax>15</ymax></bndbox></object>\n<object><name>dog</name><bndbox><xmin>1</xmin>"
    "<ymin>1</ymin><xmax>20</xmax><ymax>18</ymax></bndbox></object></annotation>\n"
)
ALL_TASKS = (
    "{boxes: {kind: detection}, segmentation: {kind: segmentation}, "
    "classes: {kind: classification}}"
)
MANIFEST_TASKS = (
    "{cls: {kind: classification}, tags: {kind: classification}, boxes: {kind: detection}, "
    "mask: {kind: segmentation}}"
)


def write_manifest(folder: Path, name: str) -> None:
    for index in range(4):
        noise(index).save(folder / f"i{index}.png")
        mask = np.random.default_rng(index).integers(0, 2, (HEIGHT, WIDTH), np.uint8)
        Image.fromarray(mask).save(folder / f"m{index}.png")
        np.save(folder / f"d{index}.npy", mask.astype(np.float32) + 1)
    (folder / "x0.xml").write_text(BOX_XML)
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(ROWS)
    lines = []
    for row in ROWS[1:]:
        cells: dict[str, Any] = dict(zip(ROWS[0], row, strict=True))
        cells["tags"] = cells["tags"].split(";")
        cells["cls"] = int(cells["cls"])
        if cells["boxes"].startswith("["):
            cells["boxes"] = json.loads(cells["boxes"])
        lines.append(json.dumps(cells) + "\n")
    (folder / "t.jsonl").write_text("".join(lines))
    source = f"{{kind: manifest, file: {name}, labels: {LABELS}}}"
    (folder / "run.yaml").write_text(run_of(source, MANIFEST_TASKS))


def write_box_table(folder: Path) -> None:
    write_manifest(folder, "t.csv")
    rows = ["image,x,y,w,h,name,crowd,weight,split", "i0.png,1,2,9,9,person,0,1.5,train"]
    rows += [
        "i0.png,3,3,8.5,9,dog,1,1.5,train",
        "i1.png,,,,,,,-3e2,train",
        "i2.png,0,0,4,4,dog,,,val",
    ]
    (folder / "t.csv").write_text("\n".join(rows) + "\n")
    labels = (
        "{boxes: {form: boxes, columns: [x, y, w, h], class_column: name, crowd_column: crowd, "
        "format: xywh, no_box_if_empty: true}, weight: {form: number}}"
    )
    source = f"{{kind: manifest, file: t.csv, labels: {labels}}}"
    (folder / "run.yaml").write_text(
        run_of(source, "{boxes: {kind: detection}, weight: {kind: regression}}")
    )


def write_voc(folder: Path) -> None:
    for name in ("JPEGImages", "Annotations", "ImageSets/Main", "SegmentationClass"):
        (folder / name).mkdir(parents=True)
    for index in range(3):
        noise(index).save(folder / "JPEGImages" / f"i{index}.png")
        xml = BOX_XML.replace("i0", f"i{index}")
        (folder / "Annotations" / f"i{index}.xml").write_text(xml)
        mask = np.random.default_rng(index).integers(0, 3, (HEIGHT, WIDTH), np.uint8)
        Image.fromarray(mask).save(folder / "SegmentationClass" / f"i{index}.png")
    (folder / "ImageSets/Main/train.txt").write_text("i0\nJPEGImages/i1.png  1\n")
    (folder / "ImageSets/Main/val.txt").write_text("i2\n")
    source = "{kind: voc, presence: true}"
    (folder / "run.yaml").write_text(run_of(source, ALL_TASKS))


def write_voc_files(folder: Path) -> None:
    """Write a devkit without lists, whose XML files name the images."""
    write_voc(folder)
    for path in sorted((folder / "Annotations").iterdir()):
        path.rename(path.with_name(f"x{path.name}"))
    for path in sorted((folder / "ImageSets").rglob("*.txt")):
        path.unlink()


def coco(name: str) -> dict[str, Any]:
    polygon = [1, 2, 11, 2, 11, 13, 1, 13]
    annotations: list[dict[str, Any]] = []
    for number in range(2):
        annotations += [
            {"id": 10 * number + 1, "image_id": number, "category_id": 1, "bbox": [1, 2, 10, 11]},
            {"id": 10 * number + 2, "image_id": number, "category_id": 5, "bbox": [0, 0, 8, 8]},
        ]
        annotations[-2] |= {"area": 110, "iscrowd": 0, "segmentation": [polygon]}
        counts: Any = [0, 100, WIDTH * HEIGHT - 100] if number else "0P3h;"
        annotations[-1] |= {
            "iscrowd": 1,
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": counts},
        }
    annotations[1]["segmentation"]["counts"] = [0, 100, WIDTH * HEIGHT - 100]
    images = [
        {"id": index, "file_name": f"{name}{index}.png", "width": WIDTH, "height": HEIGHT}
        for index in range(2)
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 5, "name": "dog", "supercategory": "pet"}]
    return {"images": images, "categories": categories, "annotations": annotations}


def write_coco(folder: Path) -> None:
    for index in range(2):
        for name in ("t", "v"):
            noise(index).save(folder / f"{name}{index}.png")
        noise(index).save(folder / f"i{index}.jpg")
    for name, split in (("t", "train"), ("v", "val")):
        (folder / f"{split}.json").write_text(json.dumps(coco(name)))
    source = "{kind: coco, train: train.json, val: val.json, segmentation: true, presence: true}"
    (folder / "run.yaml").write_text(run_of(source, ALL_TASKS))


def write_yolo(folder: Path) -> None:
    for split in ("train", "val"):
        for part in ("images", "labels"):
            (folder / split / part).mkdir(parents=True)
        for index in range(2):
            noise(index).save(folder / split / "images" / f"{index}.png")
            lines = "0 0.1 0.1 0.5 0.1 0.5 0.6\n1 0.2 0.2 0.9 0.3 0.7 0.8 0.1 0.9\n"
            (folder / split / "labels" / f"{index}.txt").write_text(lines)
    (folder / "list.txt").write_text("./val/images/0.png\nval/images/1.png\n")
    (folder / "data.yaml").write_text(
        "path: .\ntrain: train/images\nval: [list.txt]\nnc: 2\nnames: {0: person, 1: dog}\n"
        "kpt_shape: [3, 2]\n"
    )
    source = "{kind: yolo, segmentation: true, presence: true}"
    (folder / "run.yaml").write_text(run_of(source, ALL_TASKS))
