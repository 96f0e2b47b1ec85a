"""A bundle in a few lines for a person."""

from __future__ import annotations

from collections.abc import Mapping

from mtlsearch.bundle._manifest import Manifest
from mtlsearch.labels import LabelSpec
from mtlsearch.plan import describe_unit
from mtlsearch.prediction import OutputSpec


def describe(name: str, manifest: Manifest) -> str:
    """Architecture, sharing, input and tasks with their metrics, a line each."""
    height, width = manifest.preprocessing.size
    lines = [
        f"{name} (written by mtlsearch {manifest.mtlsearch})",
        f"  backbone  {manifest.backbone}, {manifest.parameters / 1e6:.2f} M parameters with heads",
        f"  input     RGB, {height} x {width} pixels (height x width)",
        f"  sharing   {manifest.plan}",
    ]
    lines += [f"    {line}" for line in _sharing(manifest)]
    lines.append("  tasks")
    for task, output in manifest.tasks.items():
        lines.append(f"    {task}: {_output(output)}")
        if measured := _metrics(manifest.metrics.get(task, {})):
            lines.append(f"      {measured}")
    return "\n".join(lines)


def _sharing(manifest: Manifest) -> list[str]:
    """One line a unit: its name and the groups of tasks that share it."""
    names = [f"{unit.index:>2} {unit.name}" for unit in manifest.units]
    wide = max((len(name) for name in names), default=0)
    return [
        f"{name:<{wide}}  {' | '.join(describe_unit(manifest.plan, at))}"
        for at, name in enumerate(names)
        if at < len(manifest.plan.rows)
    ]


def _output(output: OutputSpec) -> str:
    return LabelSpec(output.form, classes=output.classes, unit=output.unit).describe()


def _metrics(values: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{name} {'undefined' if value is None else format(value, '.4g')}"
        for name, value in values.items()
    )
