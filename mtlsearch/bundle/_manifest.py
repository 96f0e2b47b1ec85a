"""Manifest of a bundle: ``bundle.json`` as a value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasPath,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)

from mtlsearch.bundle._preprocessing import Preprocessing
from mtlsearch.errors import ExportError, PlanError, describe_invalid
from mtlsearch.plan import SharingPlan, UnitSpec
from mtlsearch.prediction import OutputSpec

MANIFEST = "bundle.json"
FORMAT = "mtlsearch-bundle"
FORMAT_VERSION = 1

ARCHITECTURE = ("backbone", "parameters", "units", "plan")
"""Attributes that are below ``architecture`` in the JSON form."""


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _check_file_name(name: str) -> str:
    # Without separators, a name cannot refer to another folder.
    if name in {"", ".", ".."} or any(mark in name for mark in "/\\:\0"):
        raise ValueError(f"{name!r} is not the name of a file")
    return name


def _plan_json(plan: SharingPlan) -> dict[str, Any]:
    return {**plan.to_json(), "text": str(plan), "digest": plan.digest}


def _in_architecture(name: str) -> Any:
    return Field(validation_alias=AliasPath("architecture", name))


_Plan = Annotated[SharingPlan, PlainValidator(SharingPlan.from_json), PlainSerializer(_plan_json)]
_FileName = Annotated[str, AfterValidator(_check_file_name)]


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
    backbone: Annotated[str, _in_architecture("backbone")]
    units: Annotated[tuple[UnitSpec, ...], _in_architecture("units")]
    plan: Annotated[_Plan, _in_architecture("plan")]
    parameters: Annotated[int, _in_architecture("parameters")]
    candidate: Mapping[str, Any]
    preprocessing: Preprocessing
    tasks: Mapping[str, OutputSpec]
    metrics: Mapping[str, Mapping[str, float | None]]
    check: Mapping[str, Any]
    files: Mapping[_FileName, FileEntry]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form.

        Returns:
            A dictionary whose JSON text :meth:`from_json` reads.
        """
        value = _ADAPTER.dump_python(self, mode="json")
        value["preprocessing"]["scale"] = "1/255"
        architecture = {name: value.pop(name) for name in ARCHITECTURE}
        head = {"format": FORMAT, "version": FORMAT_VERSION, "mtlsearch": value.pop("mtlsearch")}
        return {**head, "architecture": architecture, **value}

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
            _check_format(json.loads(text, parse_constant=_finite, parse_float=_finite), where)
            return _ADAPTER.validate_json(text, strict=True)
        except PlanError as error:
            raise _damaged(f"the sharing plan is invalid: {error.what}", where) from error
        except ValidationError as error:
            raise _damaged(describe_invalid(error), where) from error
        except ValueError as error:
            raise _damaged(f"{MANIFEST} is not valid JSON: {error}", where) from error


_ADAPTER = TypeAdapter(Manifest)


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
