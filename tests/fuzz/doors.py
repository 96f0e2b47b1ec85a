"""Doors: valid inputs, how they are changed, and how the program reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtlsearch.bundle import GRAPH, MANIFEST
from tests.fuzz.data_inputs import (
    write_box_table,
    write_coco,
    write_manifest,
    write_voc,
    write_voc_files,
    write_yolo,
)
from tests.fuzz.model_inputs import (
    read_bundle,
    read_checkpoint,
    read_weights,
    seal_bundle,
    write_bundle,
    write_checkpoint,
    write_weights,
)
from tests.fuzz.mutations import (
    Mutation,
    mutated_bytes,
    mutated_csv,
    mutated_header,
    mutated_json,
    mutated_lines,
    mutated_npy,
    mutated_png,
    mutated_words,
    mutated_xml,
    mutated_yaml,
)
from tests.fuzz.pictures import PICTURES, read_pictures, write_pictures
from tests.fuzz.run_inputs import read_run, read_sources, write_run
from tests.fuzz.states import mutated_state
from tests.fuzz.study_inputs import (
    read_journal,
    read_outputs,
    read_table,
    write_journal,
    write_outputs,
    write_table,
)


@dataclass(frozen=True)
class Door:
    """One kind of input.

    Attributes:
        name: the kind.
        write: writes valid inputs to a folder.
        mutations: changes by the name of the file that they change.
        read: reads the inputs in a folder as the program does.
        repair: run after a change, such as a new checksum.
    """

    name: str
    write: Callable[[Path], None]
    mutations: Mapping[str, Sequence[Mutation]]
    read: Callable[[Path], object]
    repair: Callable[[Path], None] = field(default=lambda folder: None)

    @property
    def files(self) -> list[str]:
        """Names of the files that are changed."""
        return list(self.mutations)


PICTURE_MUTATIONS: dict[str, Sequence[Mutation]] = {
    name: [mutated_header, mutated_bytes] for name in (*PICTURES, "pages.tif", "bands.tif")
}
PICTURE_MUTATIONS["a.png"] = [mutated_png, mutated_header, mutated_bytes]
PICTURE_MUTATIONS |= {name: [mutated_npy, mutated_header] for name in ("a.npy", "f.npy")}

DOORS = {
    door.name: door
    for door in (
        Door(
            "yaml", write_run, {"run.yaml": [mutated_yaml, mutated_yaml, mutated_bytes]}, read_run
        ),
        Door(
            "csv",
            lambda folder: write_manifest(folder, "t.csv"),
            {
                "t.csv": [mutated_csv, mutated_csv, mutated_bytes],
                "x0.xml": [mutated_xml, mutated_bytes],
                "m0.png": [mutated_png, mutated_bytes],
                "d0.npy": [mutated_npy, mutated_header],
            },
            read_sources,
        ),
        Door("box-table", write_box_table, {"t.csv": [mutated_csv, mutated_bytes]}, read_sources),
        Door(
            "jsonl",
            lambda folder: write_manifest(folder, "t.jsonl"),
            {"t.jsonl": [mutated_lines, mutated_lines, mutated_bytes]},
            read_sources,
        ),
        Door(
            "voc",
            write_voc,
            {
                "Annotations/i0.xml": [mutated_xml, mutated_xml, mutated_bytes],
                "ImageSets/Main/train.txt": [mutated_words, mutated_bytes],
                "SegmentationClass/i0.png": [mutated_png, mutated_bytes],
            },
            read_sources,
        ),
        Door("voc-xml", write_voc_files, {"Annotations/xi0.xml": [mutated_xml]}, read_sources),
        Door(
            "coco", write_coco, {"train.json": [mutated_json] * 4 + [mutated_bytes]}, read_sources
        ),
        Door(
            "yolo",
            write_yolo,
            {
                "data.yaml": [mutated_yaml, mutated_yaml, mutated_bytes],
                "train/labels/0.txt": [mutated_words, mutated_bytes],
                "list.txt": [mutated_words, mutated_bytes],
            },
            read_sources,
        ),
        Door("image", write_pictures, PICTURE_MUTATIONS, read_pictures),
        Door(
            "table",
            write_table,
            {"t.csv": [mutated_csv, mutated_csv, mutated_bytes]},
            read_table,
        ),
    )
}

DOORS |= {
    door.name: door
    for door in (
        Door(
            "checkpoint",
            write_checkpoint,
            {"c.pt": [mutated_state, mutated_state, mutated_bytes]},
            read_checkpoint,
        ),
        Door(
            "weights",
            write_weights,
            {
                "w.pt": [mutated_state, mutated_bytes],
                "l.pth": [mutated_state, mutated_bytes],
                "w.safetensors": [mutated_header, mutated_bytes],
            },
            read_weights,
        ),
        Door("bundle", write_bundle, {MANIFEST: [mutated_json] * 4 + [mutated_bytes]}, read_bundle),
        Door("graph", write_bundle, {GRAPH: [mutated_bytes]}, read_bundle, seal_bundle),
        Door(
            "journal",
            write_journal,
            {"study.journal": [mutated_lines] * 3 + [mutated_bytes]},
            read_journal,
        ),
        Door(
            "outputs",
            write_outputs,
            {".mtlsearch-outputs.jsonl": [mutated_lines, mutated_bytes]},
            read_outputs,
        ),
    )
}
