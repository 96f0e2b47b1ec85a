"""Start of an extension: a run directory with the network in use of another run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

from mtlsearch.config import LoadedRun, RunConfig, SpaceEntry, load_run, save_resolved
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.plugin import LabelSpec
from mtlsearch.registry import ResolvedRun
from mtlsearch.results import TrialRecord
from mtlsearch.runs._load_trial import load_trial
from mtlsearch.runs._session import Session, open_session, warn_of_other_data
from mtlsearch.search import NullProgress
from mtlsearch.study import (
    RunDirectory,
    check_run_directory,
    require_same_search,
    with_artifacts,
    with_stored_retention,
)

STARTS = ("pretrained", "checkpoint_path")
"""Keys of ``backbone`` from which single-task networks of new tasks start."""

FORMAT = ("image_size", "channels", "pixel_range")
"""Keys of ``data`` that determine what the network receives."""


@dataclass(frozen=True, slots=True)
class InUse:
    """The network in use: a trial with its run.

    Attributes:
        resolved: the run file of its run, with plugins.
        record: the trial.
        folder: directory with its weights.
        run: its run directory.
    """

    resolved: ResolvedRun
    record: TrialRecord
    folder: RunDirectory
    run: Path


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an extension may change of the network in use.

    Attributes:
        unfreeze: number of the last units, of those that a new task shares, that it tunes.
        max_drop: largest drop of the primary metric of a task in use, in percent; None for the
            default.
    """

    unfreeze: int = 0
    max_drop: float | None = None


FROZEN = Tuning()


def start_extension(
    in_use: InUse,
    new: LoadedRun,
    space: str,
    out: Path,
    *,
    warning: Callable[[str], None],
    tuning: Tuning = FROZEN,
) -> Path:
    """Write the run directory of an extension; a directory that is this extension stays.

    It contains ``run.yaml``, with backbone, image size, tasks and labels of the network in use, and
    its weights. ``run.yaml`` is then an ordinary run file.

    Args:
        in_use: the network in use.
        new: the run file with new tasks and their data.
        space: name of the search space, unless the run file sets one.
        out: run directory; created if it does not exist.
        warning: is called if the data of the network in use are not those of its trials.
        tuning: which units of the network in use are tuned; none by default.

    Returns:
        The path of its ``run.yaml``.

    Raises:
        ConfigError: the run file contradicts the network in use.
        RunError: the directory contains something else, or the weights are not on disk.
    """
    import torch

    from mtlsearch.training import save_weights

    run = RunDirectory(out)
    check_run_directory(run)
    if in_use.record.compression is not None:
        raise RunError(
            f"trial {in_use.record.number} is compressed, and a pruned network cannot be extended",
            where="--trial",
            next_step=f"set --trial {in_use.record.compression.parent}, which it was made from",
        )
    with run.locked():
        session = open_session(
            in_use.resolved,
            in_use.folder,
            device=torch.device("cpu"),
            progress=NullProgress(),
            check=False,
            should_load_weights=False,
        )
        _check_tuning(tuning, len(in_use.record.candidate.plan.rows))
        warn_of_other_data(session, in_use.run, warning)
        _check_normalization(session, in_use.record)
        weights = run.path / "kept.safetensors"
        is_new = not weights.is_file()
        network = load_trial(session, in_use.record)
        partial = weights.with_suffix(".new")
        save_weights(network, partial)
        try:
            config = _extended_config(in_use, session, new, space, run, _sha256(partial), tuning)
            if run.journal.exists() or run.study_name.exists() or run.trial_numbers():
                require_same_search(run, config)
            if is_new or _sha256(weights) != _sha256(partial):
                partial.replace(weights)
        finally:
            partial.unlink(missing_ok=True)
        save_resolved(config, run.config)
        if config.search.artifacts is not None:
            with_artifacts(run, config.search.artifacts, config.settings_digest).upload(weights)
    return run.config


def _check_tuning(tuning: Tuning, num_units: int) -> None:
    """Check that the network in use has as many units as new tasks may tune."""
    if tuning.unfreeze > num_units:
        raise ConfigError(
            f"the network in use has {num_units} units, and {tuning.unfreeze} of them are to be "
            "tuned",
            where="--unfreeze",
            allowed=[f"0 to {num_units}"],
            next_step="set a smaller number",
        )
    if tuning.max_drop is not None and not tuning.unfreeze:
        raise ConfigError(
            "a drop is limited only if units are tuned; without them, the tasks in use do not "
            "change by one bit",
            where="--max-drop",
            next_step="set --unfreeze, or remove --max-drop",
        )


def _check_normalization(session: Session, record: TrialRecord) -> None:
    """Check that images are normalized for the backbone of the trial."""
    names = session.config.backbone.names
    name = record.candidate.backbone or names[0]
    first, used = (session.evaluator.cut_backbones[item] for item in (names[0], name))
    if (first.mean, first.std) != (used.mean, used.std):
        raise RunError(
            f"trial {record.number} has the backbone {name}, whose images its run normalizes as "
            f"those of {names[0]}",
            where="--trial",
            next_step=f"choose a trial with the backbone {names[0]}",
        )


def _extended_config(
    in_use: InUse,
    session: Session,
    new: LoadedRun,
    space: str,
    run: RunDirectory,
    digest: str,
    tuning: Tuning,
) -> RunConfig:
    """Return the run file of the extension."""
    record, used, config = in_use.record, in_use.resolved.config, new.config
    if config.extends is not None:
        raise ConfigError(
            "`extends` is set by `mtlsearch extend`",
            where=new.where("extends"),
            next_step="remove it from the run file of the new tasks",
        )
    backbone = record.candidate.backbone or used.backbone.names[0]
    _check_equal(
        new, in_use, "backbone", {"name": backbone, "granularity": used.backbone.granularity}
    )
    _check_equal(new, in_use, "data", {key: getattr(used.data, key) for key in FORMAT})
    evaluator = session.evaluator
    # The network in use may be an extension itself.
    tasks = {**(used.extends.tasks if used.extends else {}), **used.tasks}
    metrics = used.extends.metrics if used.extends else {}
    tree = config.model_copy(
        update={"search": with_stored_retention(run, config.search)}
    ).model_dump()
    tree["backbone"] = {
        **tree["backbone"],
        "name": backbone,
        "granularity": used.backbone.granularity,
        **_start(new, used),
    }
    tree["data"] |= {key: getattr(used.data, key) for key in FORMAT}
    if config.search.space is None:
        tree["search"]["space"] = SpaceEntry(kind=space).model_dump()
    tree["plugins"] = list(dict.fromkeys([*used.plugins, *config.plugins]))
    tree["extends"] = {
        "run": Path.cwd() / in_use.folder.path,
        "trial": record.number,
        "weights": digest,
        "candidate": replace(record.candidate, origins=None).to_json(),
        "tasks": {name: entry.model_dump() for name, entry in sorted(tasks.items())},
        "tasks_with_attention": sorted(evaluator.tasks_with_attention(record.candidate)),
        "labels": {
            name: _label(evaluator.network_tasks[name].label) for name in evaluator.network_tasks
        },
        "metrics": {
            **metrics,
            **{
                name: {key: _finite(value) for key, value in result.metrics.items()}
                for name, result in record.results.items()
            },
        },
        "latency_ms": record.latency and record.latency.ms,
        "unfreeze": tuning.unfreeze,
        **({} if tuning.max_drop is None else {"max_drop": tuning.max_drop}),
        "images": [
            *(images.model_dump() for images in (used.extends.images if used.extends else ())),
            {
                "tasks": sorted(used.tasks),
                "data": used.data.model_dump(mode="json"),
                "seed": used.seed,
            },
        ],
    }
    return load_run(tree).config


def _check_equal(new: LoadedRun, in_use: InUse, section: str, expected: dict[str, Any]) -> None:
    """Check that the run file sets no other value of a key than the network in use has."""
    values = getattr(new.config, section)
    for key, value in expected.items():
        given = getattr(values, key)
        if key in values.model_fields_set and given != value:
            raise ConfigError(
                f"`{section}.{key}` is {given!r}, and the network in use has {value!r}",
                where=new.where(section, key),
                allowed=[str(value)],
                next_step=f"remove the key: trial {in_use.record.number} of {in_use.folder.path} "
                "determines it",
            )


def _start(new: LoadedRun, used: RunConfig) -> dict[str, Any]:
    """Return the weights from which a single-task network of a new task starts."""
    backbone = new.config.backbone
    if any(key in backbone.model_fields_set for key in STARTS):
        return {key: getattr(backbone, key) for key in STARTS}
    if used.backbone.checkpoints is not None and not used.backbone.pretrained:
        raise ConfigError(
            "the run of the network in use starts each task from a network of its own "
            "(`backbone.checkpoints`), and the new tasks have none",
            where=new.where("backbone"),
            next_step="set `backbone.pretrained: true` or `backbone.checkpoint_path`, from which "
            "a single-task network of a new task starts",
        )
    return {key: getattr(used.backbone, key) for key in STARTS}


def _label(spec: LabelSpec) -> dict[str, Any]:
    return {**asdict(spec), "form": spec.form.value}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
