"""Description of a bundle as text."""

from __future__ import annotations

from collections.abc import Mapping

from mtlsearch.bundle._manifest import Manifest
from mtlsearch.labels import LabelSpec
from mtlsearch.prediction import OutputSpec


def describe(name: str, manifest: Manifest) -> str:
    """Return architecture, sharing, input and tasks with their metrics, one per line."""
    height, width = manifest.preprocessing.size
    lines = [
        f"{name} (written by mtlsearch {manifest.mtlsearch})",
        f"  backbone  {manifest.backbone}, {manifest.parameters / 1e6:.2f} M parameters with heads",
        f"  input     {_channels(manifest)}, {height} x {width} pixels (height x width)",
        f"  sharing   {manifest.plan}",
    ]
    lines += [f"    {line}" for line in _sharing(manifest)]
    lines.append("  tasks")
    for task, output in manifest.tasks.items():
        lines.append(f"    {task}: {_output(output)}")
        if metrics := _metrics(manifest.metrics.get(task, {})):
            lines.append(f"      {metrics}")
    return "\n".join(lines)


def _channels(manifest: Manifest) -> str:
    channels = manifest.preprocessing.channels
    return channels.upper() if isinstance(channels, str) else f"{channels} bands"


def _sharing(manifest: Manifest) -> list[str]:
    """Return one line per unit: its name and the groups of tasks that share it."""
    names = [f"{unit.index:>2} {unit.name}" for unit in manifest.units]
    width = max((len(name) for name in names), default=0)
    return [
        f"{name:<{width}}  {' | '.join(manifest.plan.describe_unit(unit))}"
        for unit, name in enumerate(names)
        if unit < len(manifest.plan.rows)
    ]


def _output(output: OutputSpec) -> str:
    return LabelSpec(output.form, classes=output.classes, unit=output.unit).describe()


def _metrics(values: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{name} {'undefined' if value is None else format(value, '.4g')}"
        for name, value in values.items()
    )
