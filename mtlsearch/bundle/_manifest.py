"""Manifest of a bundle: ``bundle.json`` as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mtlsearch.bundle._preprocessing import Preprocessing
from mtlsearch.bundle._validation import damaged, is_number, take, take_numbers, take_texts
from mtlsearch.errors import ExportError, PlanError
from mtlsearch.labels import Form
from mtlsearch.plan import SharingPlan, UnitSpec
from mtlsearch.prediction import OutputSpec

MANIFEST = "bundle.json"
FORMAT = "mtlsearch-bundle"
FORMAT_VERSION = 1


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

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form.

        Returns:
            A dictionary that :meth:`from_json` reads.
        """
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "mtlsearch": self.mtlsearch,
            "architecture": {
                "backbone": self.backbone,
                "parameters": self.parameters,
                "units": [_unit_json(unit) for unit in self.units],
                "plan": {
                    **self.plan.to_json(),
                    "text": str(self.plan),
                    "digest": self.plan.digest,
                },
            },
            "candidate": dict(self.candidate),
            "preprocessing": {
                "color": "RGB",
                "resize": self.preprocessing.resize,
                "size": list(self.preprocessing.size),
                "scale": "1/255",
                "mean": list(self.preprocessing.mean),
                "std": list(self.preprocessing.std),
            },
            "tasks": {name: _output_json(output) for name, output in self.tasks.items()},
            "metrics": {task: dict(values) for task, values in self.metrics.items()},
            "check": dict(self.check),
            "files": {
                name: {"sha256": entry.sha256, "bytes": entry.bytes}
                for name, entry in self.files.items()
            },
            "extra": dict(self.extra),
        }

    @classmethod
    def from_json(cls, value: object, where: str) -> Manifest:
        """Return the manifest that :meth:`to_json` wrote.

        Args:
            value: contents of ``bundle.json``.
            where: path of the file, for messages.

        Returns:
            The validated manifest.

        Raises:
            ExportError: a value is missing or invalid, or the format version is unknown.
        """
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise damaged(f"the file is not the {MANIFEST} of an mtlsearch bundle", where)
        if (version := take(value, "version", int, where)) != FORMAT_VERSION:
            raise ExportError(
                f"the bundle has the unknown format version {version}",
                where=where,
                allowed=[str(FORMAT_VERSION)],
                next_step="open it with the mtlsearch version that wrote it "
                f"({value.get('mtlsearch', 'unknown')}), or export the bundle again",
            )
        architecture = take(value, "architecture", dict, where)
        tasks = take(value, "tasks", dict, where)
        files = take(value, "files", dict, where)
        return cls(
            mtlsearch=take(value, "mtlsearch", str, where),
            backbone=take(architecture, "backbone", str, where),
            units=tuple(_unit(unit, where) for unit in take(architecture, "units", list, where)),
            plan=_plan(take(architecture, "plan", dict, where), where),
            parameters=take(architecture, "parameters", int, where),
            candidate=take(value, "candidate", dict, where),
            preprocessing=_preprocessing(take(value, "preprocessing", dict, where), where),
            tasks={name: _output(take(tasks, name, dict, where), where) for name in tasks},
            metrics=take(value, "metrics", dict, where),
            check=take(value, "check", dict, where),
            files={name: _file(name, take(files, name, dict, where), where) for name in files},
            extra=take(value, "extra", dict, where),
        )


def _unit_json(unit: UnitSpec) -> dict[str, Any]:
    return {name: getattr(unit, name) for name in UnitSpec.__slots__}


def _unit(value: object, where: str) -> UnitSpec:
    if not isinstance(value, dict):
        raise damaged(f"a unit must be an object, got {value!r:.80}", where)
    return UnitSpec(
        index=take(value, "index", int, where),
        name=take(value, "name", str, where),
        channels=take(value, "channels", int, where),
        stride=take(value, "stride", int, where),
        parameters=take(value, "parameters", int, where),
        flops=take(value, "flops", int, where),
        # Absent in bundles of earlier versions.
        skippable=take({"skippable": False, **value}, "skippable", bool, where),
    )


def _plan(value: dict[str, Any], where: str) -> SharingPlan:
    try:
        return SharingPlan.from_json(value)
    except PlanError as error:
        raise damaged(f"the sharing plan is invalid: {error.what}", where) from error


def _preprocessing(value: dict[str, Any], where: str) -> Preprocessing:
    height, width = take_numbers(value, "size", 2, where)
    if not (height >= 1 and width >= 1 and height.is_integer() and width.is_integer()):
        raise damaged(f"`size` must be a height and a width, got {value['size']!r}", where)
    mean = take_numbers(value, "mean", 3, where)
    std = take_numbers(value, "std", 3, where)
    if (resize := take(value, "resize", str, where)) != "bilinear":
        raise damaged(f"`resize` must be the filter 'bilinear', got {resize!r}", where)
    return Preprocessing(
        (int(height), int(width)), (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]), resize
    )


def _output_json(output: OutputSpec) -> dict[str, Any]:
    return {
        "form": output.form.value,
        "classes": list(output.classes),
        "unit": output.unit,
        "options": dict(output.options),
    }


def _output(value: dict[str, Any], where: str) -> OutputSpec:
    form = take(value, "form", str, where)
    if form not in list(Form):
        raise damaged(f"`form` must be one of {', '.join(Form)}, got {form!r}", where)
    options = take(value, "options", dict, where)
    if not all(is_number(option) for option in options.values()):
        raise damaged(f"`options` must be numbers, got {options!r:.80}", where)
    return OutputSpec(
        Form(form), take_texts(value, "classes", where), take(value, "unit", str, where), options
    )


def _file(name: str, value: dict[str, Any], where: str) -> FileEntry:
    # Without separators, a name cannot refer to another folder.
    if name in {"", ".", ".."} or any(mark in name for mark in "/\\:\0"):
        raise damaged(f"{name!r} in `files` is not the name of a file", where)
    return FileEntry(take(value, "sha256", str, where), take(value, "bytes", int, where))
