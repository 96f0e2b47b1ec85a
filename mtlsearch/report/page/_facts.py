"""What was searched on what data, and how to reproduce it, as names and values."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtlsearch.config import RunConfig
from mtlsearch.plan import UnitSpec
from mtlsearch.plugin import Metric
from mtlsearch.report._marks import NOT_COUNTED
from mtlsearch.report.page._contents import RunContents
from mtlsearch.report.page._networks import NetworkResults

Fact = tuple[str, str]

MAX_CLASSES = 12
"""Number of classes that are named."""


@dataclass(frozen=True, slots=True)
class TaskFact:
    """One task of the run.

    Attributes:
        name: name of the task.
        color: number of its color.
        kind: its kind.
        label: the label that it learns.
        classes: names or number of its classes; empty if unknown.
        num_images: number of validation images with its label; empty if unknown.
        metrics: its metrics, the primary one first.
    """

    name: str
    color: int
    kind: str
    label: str
    classes: str
    num_images: str
    metrics: str


@dataclass(frozen=True, slots=True)
class UnitFact:
    """One unit of the backbone, with texts for a table.

    Attributes:
        index: position in depth order.
        name: names of its modules.
        channels: channels of its output.
        stride: stride of its output.
        parameters: parameters of a copy.
        flops: FLOPs of a run.
    """

    index: int
    name: str
    channels: int
    stride: int
    parameters: str
    flops: str


def task_facts(
    contents: RunContents, networks: NetworkResults, colors: Mapping[str, int]
) -> list[TaskFact]:
    """Return the tasks of a run.

    Args:
        contents: the run.
        networks: the evaluated networks, which have the names of classes.
        colors: number of the color by task.

    Returns:
        One entry per task, sorted by name.
    """
    results = {
        task: result for record in contents.records for task, result in record.results.items()
    }
    facts = []
    for name, entry in sorted(contents.config.tasks.items()):
        result = results.get(name)
        metrics = [] if result is None else sorted(result.specs, key=lambda spec: not spec.primary)
        images = None if result is None else result.num_images
        by_class = {} if result is None else next(iter(result.per_class.values()), {})
        classes = list(networks.classes.get(name, ())) or list(by_class)
        facts.append(
            TaskFact(
                name,
                colors.get(name, 0),
                entry.kind,
                contents.config.label_of(name),
                _classes(classes),
                "" if images is None else f"{images:,}",
                ", ".join(
                    f"{spec.name}{_mark(name, spec, contents.not_counted)}" for spec in metrics
                ),
            )
        )
    return facts


def data_facts(contents: RunContents, networks: NetworkResults) -> list[Fact]:
    """Return the settings of the data, and the number of images where they were opened.

    Args:
        contents: the run.
        networks: the evaluated networks.

    Returns:
        Names and values.
    """
    data = contents.config.data
    facts = []
    for source in data.sources:
        settings = source.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
        facts.append(("source", _settings(source.kind, settings)))
    if networks.num_images:
        sizes = [f"{count:,} {split}" for split, count in networks.num_images.items() if count]
        facts.append(("images", ", ".join(sizes)))
    elif contents.frame.attrs.get("val_images"):
        facts.append(("images", f"{contents.frame.attrs['val_images']:,} val"))
    height, width = data.image_size
    facts.append(("network input", f"{height} x {width} px, {data.channels}"))
    augment = data.augment.model_dump(mode="json")
    if crop := data.augment.crop:
        augment["crop"] = f"{crop[0]} to {crop[1]}"
    active = {name: value for name, value in augment.items() if value}
    facts.append(("augmentation", _pairs(active) or "none"))
    return facts


def search_facts(contents: RunContents) -> list[Fact]:
    """Return the settings of backbone, training and search.

    Args:
        contents: the run.

    Returns:
        Names and values.
    """
    config = contents.config
    search, train = config.search, config.train
    settings = {} if search.space is None else search.space.model_dump(exclude={"kind"})
    space = "none" if search.space is None else _settings(search.space.kind, settings)
    limits = config.limits.model_dump(mode="json", exclude_none=True)
    facts = [
        ("backbone", ", ".join(config.backbone.names) + _weights(config)),
        ("units", f"granularity {config.backbone.granularity}"),
        (
            "training",
            f"{train.epochs} epochs, batches of {train.batch_size}, {train.optimizer}, "
            f"learning rate {train.learning_rate:g}",
        ),
        ("search space", space),
        ("sampler", search.sampler),
        ("objectives", ", ".join(search.objectives).replace("delta_m", "Δm")),
        ("trials", _trials(contents)),
        ("seed", str(config.seed)),
    ]
    if limits:
        facts.append(("limits", _pairs(limits)))
    if search.early_stopping is not None:
        stopping = search.early_stopping.model_dump(mode="json", exclude_none=True)
        facts.append(("early stopping", _pairs(stopping)))
    seconds = sum(record.seconds for record in (*contents.records, *contents.repeats))
    facts.append(("training time", _duration(seconds)))
    return facts


def unit_facts(units: Sequence[UnitSpec]) -> list[UnitFact]:
    """Return the units of a backbone for a table.

    Args:
        units: units in depth order.

    Returns:
        One entry per unit.
    """
    return [
        UnitFact(
            unit.index,
            unit.name,
            unit.channels,
            unit.stride,
            f"{unit.parameters:,}",
            f"{unit.flops / 1e6:,.1f} M",
        )
        for unit in units
    ]


def trial_counts(contents: RunContents) -> list[str]:
    """Return the number of trials in each state.

    Args:
        contents: the run.

    Returns:
        Such as ``9 complete`` and ``3 interrupted and continued``, in the order of the states.
    """
    records = contents.records
    continued = contents.continuation_by_trial
    states = [
        f"{record.state} and continued" if record.number in continued else record.state
        for record in records
    ]
    return [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]


def commands(contents: RunContents, networks: NetworkResults) -> list[str]:
    """Return the commands that repeat the search and use its result.

    Args:
        contents: the run.
        networks: the evaluated networks, which have the number of test images.

    Returns:
        Command lines for a POSIX shell.
    """
    best = "best" if contents.recommended is None else str(contents.recommended.number)
    path = shlex.quote(str(contents.path))
    split = "" if networks.num_images.get("test") else " --split val"  # every run has this one
    return [
        f"mtlsearch search run.yaml --out {path}",
        f"mtlsearch report {path}",
        f"mtlsearch evaluate {path} --trial {best}{split}",
        f"mtlsearch export {path} --trial {best} --out bundle",
    ]


def _mark(task: str, spec: Metric, not_counted: Collection[str]) -> str:
    if not spec.in_delta_m:
        return " (not counted)"
    return f" {NOT_COUNTED}" if f"{task}.{spec.name}" in not_counted else ""


def _classes(names: Sequence[str]) -> str:
    if len(names) <= MAX_CLASSES:
        return ", ".join(names)
    return f"{len(names)} classes"


def _weights(config: RunConfig) -> str:
    if config.backbone.checkpoints is not None:
        return ", weights of one network per task"
    if config.backbone.checkpoint_path is not None:
        return f", weights of {config.backbone.checkpoint_path.name}"
    return ", pretrained" if config.backbone.pretrained else ", not pretrained"


def _trials(contents: RunContents) -> str:
    counts = ", ".join(trial_counts(contents)) or "none"
    seeds = f", {len(contents.repeats)} second seeds" if contents.repeats else ""
    return f"{counts}{seeds} (search.trials: {contents.config.search.trials})"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _settings(kind: str, settings: Mapping[str, Any]) -> str:
    pairs = _pairs({name: value for name, value in settings.items() if value is not None})
    return f"{kind} ({pairs})" if pairs else kind


def _pairs(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in settings.items())


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Mapping | list | tuple) else str(value)
