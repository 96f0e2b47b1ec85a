"""Thresholds and classes that a user selects at prediction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mtlsearch.bundle._manifest import Manifest
from mtlsearch.errors import ConfigError, did_you_mean
from mtlsearch.labels import Form
from mtlsearch.prediction import SELECTABLE, OutputSpec


def select_outputs(
    manifest: Manifest, conf: float | None, iou: float | None, classes: Sequence[str]
) -> Manifest:
    """Return a manifest with other thresholds, after checking all selected values.

    Args:
        manifest: the manifest of a bundle.
        conf: smallest score, see :meth:`Bundle.select`; None to keep that of the bundle.
        iou: largest IoU of two boxes of one class; None to keep that of the bundle.
        classes: names of classes.

    Returns:
        The manifest; only the options of its tasks change.

    Raises:
        ConfigError: a value is invalid, or no task has predictions to which it applies.
    """
    _require_classes(manifest.tasks, classes)
    tasks = dict(manifest.tasks)
    if conf is not None:
        changed = {"score_threshold": conf, "draw_threshold": conf}
        tasks |= _with_options(tasks, "conf", conf, SELECTABLE, changed)
    if iou is not None:
        tasks |= _with_options(tasks, "iou", iou, (Form.BOXES,), {"iou_threshold": iou})
    return replace(manifest, tasks=tasks)


def _with_options(
    tasks: Mapping[str, OutputSpec],
    name: str,
    value: float,
    forms: Collection[Form],
    options: Mapping[str, float],
) -> dict[str, OutputSpec]:
    """Return the specifications of the tasks of some forms with changed options."""
    if not 0 <= value <= 1:
        raise ConfigError(
            f"`{name}` must be a number from 0 to 1, got {value:g}", where=_location(name)
        )
    _require_form(tasks, name, forms)
    return {
        task: replace(output, options={**output.options, **options})
        for task, output in tasks.items()
        if output.form in forms
    }


def _require_classes(tasks: Mapping[str, OutputSpec], classes: Sequence[str]) -> None:
    if not classes:
        return
    _require_form(tasks, "classes", SELECTABLE)
    class_names = {
        name: None
        for output in tasks.values()
        if output.form in SELECTABLE
        for name in output.classes
    }
    for name in classes:
        if name not in class_names:
            owners = [task for task, output in tasks.items() if name in output.classes]
            selectable = [task for task, output in tasks.items() if output.form in SELECTABLE]
            what = f"unknown class {name!r}{did_you_mean(name, class_names)}"
            if owners:
                what = (
                    f"{name!r} is a class of {', '.join(owners)} and cannot be selected: "
                    f"`classes` selects among those of {', '.join(selectable)}, whose form is "
                    f"{' or '.join(form.value for form in SELECTABLE)}"
                )
            raise ConfigError(what, where=_location("classes"), allowed=list(class_names))


def _location(name: str) -> str:
    """Return an argument of Python and the option of the same name."""
    return f"{name}, --{name}"


def _require_form(tasks: Mapping[str, OutputSpec], name: str, forms: Collection[Form]) -> None:
    if any(output.form in forms for output in tasks.values()):
        return
    received = ", ".join(f"{task}: {output.form.value}" for task, output in tasks.items())
    raise ConfigError(
        f"`{name}` applies to no task of the bundle ({received})",
        where=_location(name),
        allowed=[f"tasks of the form {form.value}" for form in forms],
        next_step=f"remove `{name}`",
    )
