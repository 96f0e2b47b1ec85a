"""Manifest of a bundle: ``bundle.json`` as a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mtlsearch.bundle._preprocessing import Preprocessing
from mtlsearch.bundle._typed import read_fields
from mtlsearch.errors import ExportError, PlanError
from mtlsearch.files import load_json
from mtlsearch.labels import Form
from mtlsearch.plan import SharingPlan, UnitSpec
from mtlsearch.prediction import OutputSpec

MANIFEST = "bundle.json"
FORMAT = "mtlsearch-bundle"
FORMAT_VERSION = 1

"""Names of tasks in run files."""


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Checksum and size of one file of a bundle.

    Attributes:
        sha256: SHA-256 in hexadecimal digits.
        bytes: size in bytes.
    """

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Description of a bundle.

    Attributes:
        mtlsearch: version of mtlsearch that wrote the bundle.
        backbone: timm name of the backbone.
        units: units of the backbone in depth order.
        plan: which tasks share which units.
        parameters: number of scalars in the weights.
        candidate: JSON form of the candidate.
        preprocessing: resizing and normalization of an image.
        tasks: output specification by task; the graph names the tensors ``task.tensor``.
        metrics: metrics on the validation split by task; None if undefined.
        check: tolerance and measured differences of each format.
        files: checksum of every other file of the bundle.
        extra: further values, such as the run and the trial.
        decoded: whether the graph decodes: thresholds, non-maximum suppression and scaling to
            the image are a part of it.
        web: checksum of every file of the page in the folder ``web``.
    """

    mtlsearch: str
    backbone: str
    units: tuple[UnitSpec, ...]
    plan: SharingPlan
    parameters: int
    candidate: Mapping[str, Any]
    preprocessing: Preprocessing
    tasks: Mapping[str, OutputSpec]
    metrics: Mapping[str, Mapping[str, float | None]]
    check: Mapping[str, Any]
    files: Mapping[str, FileEntry]
    extra: Mapping[str, Any] = field(default_factory=dict)
    decoded: bool = False
    web: Mapping[str, FileEntry] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form.

        Returns:
            A dictionary whose JSON text :meth:`from_json` reads.
        """
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "mtlsearch": self.mtlsearch,
            "architecture": {
                "backbone": self.backbone,
                "parameters": self.parameters,
                "units": [asdict(unit) for unit in self.units],
                "plan": {**self.plan.to_json(), "text": str(self.plan), "digest": self.plan.digest},
            },
            "candidate": dict(self.candidate),
            "preprocessing": {**asdict(self.preprocessing), "scale": "1/255"},
            "tasks": {task: asdict(output) for task, output in self.tasks.items()},
            "metrics": {task: dict(values) for task, values in self.metrics.items()},
            "check": dict(self.check),
            "files": _entries(self.files),
            "extra": dict(self.extra),
            **({"decoded": True} if self.decoded else {}),
            **({"web": _entries(self.web)} if self.web else {}),
        }

    @classmethod
    def from_json(cls, text: str, where: str) -> Manifest:
        """Return the manifest with the JSON form of :meth:`to_json`.

        Args:
            text: contents of ``bundle.json``.
            where: path of the file, for messages.

        Returns:
            The validated manifest.

        Raises:
            ExportError: the text is not JSON, a value is missing or invalid, or the format
                version is unknown.
        """
        try:
            value = load_json(text, parse_constant=_finite, parse_float=_finite)
        except ValueError as error:
            raise _damaged(f"{MANIFEST} is not valid JSON: {error}", where) from error
        _check_format(value, where)
        try:
            return _read(value)
        except PlanError as error:
            raise _damaged(f"the sharing plan is invalid: {error.what}", where) from error
        except ValueError as error:
            raise _damaged(str(error), where) from error


@dataclass(frozen=True, slots=True)
class _Architecture:
    """Value of the key ``architecture``."""

    backbone: str
    units: tuple[UnitSpec, ...]
    plan: Mapping[str, Any]
    parameters: int


@dataclass(frozen=True, slots=True)
class _Document:
    """All values of ``bundle.json`` in the order of the manifest."""

    mtlsearch: str
    architecture: _Architecture
    candidate: Mapping[str, Any]
    preprocessing: Preprocessing
    tasks: Mapping[str, OutputSpec]
    metrics: Mapping[str, Mapping[str, float | None]]
    check: Mapping[str, Any]
    files: Mapping[str, FileEntry]
    extra: Mapping[str, Any] = field(default_factory=dict)
    decoded: bool = False
    web: Mapping[str, FileEntry] = field(default_factory=dict)


def _read(value: object) -> Manifest:
    """Return the manifest of a JSON value.

    Raises:
        PlanError: the sharing plan is invalid.
        ValueError: another value is missing or invalid.
    """
    document: _Document = read_fields(_Document, value, "")
    for name in [*document.files, *document.web]:
        _check_file_name(name)
    for name, output in document.tasks.items():
        _check_task(name, output)
    architecture = document.architecture
    return Manifest(
        mtlsearch=document.mtlsearch,
        backbone=architecture.backbone,
        units=architecture.units,
        plan=SharingPlan.from_json(architecture.plan),
        parameters=architecture.parameters,
        candidate=document.candidate,
        preprocessing=document.preprocessing,
        tasks=document.tasks,
        metrics=document.metrics,
        check=document.check,
        files=document.files,
        extra=document.extra,
        decoded=document.decoded,
        web=document.web,
    )


def _entries(files: Mapping[str, FileEntry]) -> dict[str, Any]:
    return {name: asdict(entry) for name, entry in files.items()}


def _check_file_name(name: str) -> None:
    if _leaves_folder(name):
        raise ValueError(f"{name!r} is not the name of a file")


def _leaves_folder(name: str) -> bool:
    # Without separators, a name cannot refer to another folder.
    return name in {"", ".", ".."} or any(mark in name for mark in "/\\:\0")


def _check_task(name: str, output: OutputSpec) -> None:
    # Files of predictions are named after their task.
    if _leaves_folder(name):
        raise ValueError(f"{name!r} is not the name of a task")
    if not output.classes and output.form not in (Form.NUMBER, Form.MAP):
        raise ValueError(f"`tasks.{name}.classes` is empty")


def _check_format(value: object, where: str) -> None:
    """Check that a JSON value is a manifest of a known version.

    Raises:
        ExportError: the format or its version is unknown.
    """
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise _damaged(f"the file is not the {MANIFEST} of an mtlsearch bundle", where)
    if (version := value.get("version")) != FORMAT_VERSION:
        raise ExportError(
            f"the bundle has the unknown format version {version}",
            where=where,
            allowed=[str(FORMAT_VERSION)],
            next_step="open it with the mtlsearch version that wrote it "
            f"({value.get('mtlsearch', 'unknown')}), or export the bundle again",
        )


def _damaged(what: str, where: str) -> ExportError:
    return ExportError(
        what,
        where=where,
        next_step="the bundle is damaged or was edited: export it again with `mtlsearch export`",
    )
