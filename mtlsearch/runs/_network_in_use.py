"""The network in use of an extension: what its run file must contain, from a run or a bundle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from mtlsearch.config import RunConfig
from mtlsearch.errors import ExportError, PlanError, describe_invalid
from mtlsearch.plugin import Candidate, LabelSpec
from mtlsearch.results import TrialRecord

if TYPE_CHECKING:
    from mtlsearch.bundle import Manifest
    from mtlsearch.runs._session import Session

STARTS = ("pretrained", "checkpoint_path")
"""Keys of ``backbone`` from which single-task networks of new tasks start."""

EXTENDABLE = "network"
"""Key of ``extra`` in ``bundle.json`` with what an extension needs beside plan and weights."""


@dataclass(frozen=True, slots=True)
class NetworkInUse:
    """A trained network that new tasks extend, without its weights.

    Attributes:
        name: the network for messages, such as ``trial 3 of results/leaves``.
        source: its run directory or bundle.
        trial: number of its trial.
        candidate: its candidate.
        backbone: ``name`` and ``granularity`` of its backbone.
        start: keys of ``backbone`` with the weights from which its backbone started; None if new
            tasks cannot start from them.
        images: ``image_size``, ``channels`` and ``pixel_range`` of its input.
        tasks: settings of its tasks by name.
        tasks_with_attention: its tasks whose heads have attention gates.
        labels: form and classes of the label, by task.
        metrics: its validation metrics by task; None for undefined ones.
        latency_ms: latency of one image in milliseconds; None if not measured.
        plugins: folders of its plugins.
        validation: entries of ``extends.images``.
    """

    name: str
    source: Path
    trial: int
    candidate: Candidate
    backbone: Mapping[str, Any]
    start: Mapping[str, Any] | None
    images: Mapping[str, Any]
    tasks: Mapping[str, Mapping[str, Any]]
    tasks_with_attention: Sequence[str]
    labels: Mapping[str, Mapping[str, Any]]
    metrics: Mapping[str, Mapping[str, float | None]]
    latency_ms: float | None = None
    plugins: Sequence[Path] = ()
    validation: Sequence[Mapping[str, Any]] = ()


def network_of_trial(session: Session, record: TrialRecord, folder: Path) -> NetworkInUse:
    """Return the network of a trial.

    Args:
        session: its opened run.
        record: the trial.
        folder: its run directory.

    Returns:
        The network.
    """
    used = session.config
    extends = used.extends  # the network in use may be an extension itself
    kept_metrics = {} if extends is None else extends.metrics
    tuned_metrics = {} if record.kept is None else record.kept.metrics
    trained = {task: result.metrics for task, result in record.results.items()}
    metrics: dict[str, Mapping[str, float | None]] = {**kept_metrics, **tuned_metrics, **trained}
    described = describe_network(session, record)
    return NetworkInUse(
        name=f"trial {record.number} of {folder}",
        source=Path.cwd() / folder,
        trial=record.number,
        candidate=replace(record.candidate, origins=None),
        backbone={
            "name": record.candidate.backbone or used.backbone.names[0],
            "granularity": described["granularity"],
        },
        start=_start_of(used),
        images={key: getattr(used.data, key) for key in ("image_size", "channels", "pixel_range")},
        tasks=described["tasks"],
        tasks_with_attention=described["tasks_with_attention"],
        labels=described["labels"],
        metrics={
            task: {name: _finite(value) for name, value in values.items()}
            for task, values in metrics.items()
        },
        latency_ms=None if record.latency is None else record.latency.ms,
        plugins=used.plugins,
        validation=[
            *(images.model_dump() for images in (extends.images if extends else ())),
            {
                "tasks": sorted(used.tasks),
                "data": used.data.model_dump(mode="json"),
                "seed": used.seed,
            },
        ],
    )


def describe_network(session: Session, record: TrialRecord) -> dict[str, Any]:
    """Return what a bundle needs beside plan and weights to be extended, without paths.

    Args:
        session: the opened run.
        record: the trial of the network.

    Returns:
        JSON values: granularity, settings and labels of the tasks, and how its backbone started.
    """
    config, evaluator = session.config, session.evaluator
    entries = {**(config.extends.tasks if config.extends else {}), **config.tasks}
    start = _start_of(config)
    return {
        "granularity": config.backbone.granularity,
        "pretrained": None
        if start is None or start["checkpoint_path"] is not None
        else start["pretrained"],
        "tasks": {name: entry.model_dump(mode="json") for name, entry in sorted(entries.items())},
        "tasks_with_attention": sorted(evaluator.tasks_with_attention(record.candidate)),
        "labels": {
            name: _label_to_json(task.label) for name, task in evaluator.network_tasks.items()
        },
    }


def network_of_bundle(folder: Path, manifest: Manifest) -> NetworkInUse:
    """Return the network of a bundle.

    Args:
        folder: folder of the bundle.
        manifest: its manifest, after its files were checked.

    Returns:
        The network; its weights are in the bundle too.

    Raises:
        ExportError: the bundle is compressed or from an earlier version, or was edited.
    """
    from mtlsearch.bundle import WEIGHTS

    extra = manifest.extra
    if "compression" in extra:
        raise ExportError(
            "the bundle contains a compressed network, and a pruned network cannot be extended",
            where=str(folder),
            next_step="export the trial that it was made from, and extend that bundle",
        )
    if EXTENDABLE not in extra or WEIGHTS not in manifest.files:
        raise ExportError(
            "the bundle lacks the settings of its tasks, so that it cannot be extended",
            where=str(folder),
            next_step="export it again with this version of mtlsearch, or extend its run",
        )
    try:
        network = _BUNDLED.validate_python(extra[EXTENDABLE])
        candidate = Candidate.from_json(manifest.candidate)
    except (ValidationError, PlanError) as error:
        raise ExportError(
            f"the settings of the network are invalid: {describe_invalid(error)}",
            where=str(folder),
            next_step="the bundle is damaged or was edited: export it again",
        ) from error
    pretrained, image, trial = network.pretrained, manifest.preprocessing, extra.get("trial")
    return NetworkInUse(
        name=f"the bundle {folder}",
        source=Path.cwd() / folder,
        trial=trial if isinstance(trial, int) else 0,
        candidate=replace(candidate, origins=None),
        backbone={"name": manifest.backbone, "granularity": network.granularity},
        start=None if pretrained is None else {"pretrained": pretrained, "checkpoint_path": None},
        images={
            "image_size": image.size,
            "channels": image.channels,
            "pixel_range": image.pixel_range,
        },
        tasks=network.tasks,
        tasks_with_attention=network.tasks_with_attention,
        labels=network.labels,
        metrics=manifest.metrics,
    )


@dataclass(frozen=True, slots=True)
class _Bundled:
    """Value of the key :data:`EXTENDABLE`."""

    granularity: str | int
    pretrained: bool | None
    tasks: dict[str, dict[str, Any]]
    labels: dict[str, dict[str, Any]]
    tasks_with_attention: list[str] = field(default_factory=list)


_BUNDLED = TypeAdapter(_Bundled)


def _start_of(config: RunConfig) -> dict[str, Any] | None:
    """Return the weights from which a run starts; None if each task has its own."""
    if config.backbone.checkpoints is not None and not config.backbone.pretrained:
        return None
    return {key: getattr(config.backbone, key) for key in STARTS}


def _label_to_json(spec: LabelSpec) -> dict[str, Any]:
    return {**asdict(spec), "form": spec.form.value}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
