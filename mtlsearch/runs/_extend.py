"""Start of an extension: a run directory with the network in use of another run or a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import file_digest
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

from mtlsearch.config import LoadedRun, SpaceEntry, load_run, save_resolved
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.plugin import Candidate
from mtlsearch.registry import ResolvedRun, build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs._kept_network import KeptNetwork
from mtlsearch.runs._load_trial import load_trial
from mtlsearch.runs._network_in_use import (
    STARTS,
    NetworkInUse,
    network_of_bundle,
    network_of_trial,
)
from mtlsearch.runs._session import Session, load_cut_backbone, open_session, warn_of_other_data
from mtlsearch.search import NullProgress
from mtlsearch.study import (
    RunDirectory,
    check_run_directory,
    require_same_search,
    with_artifacts,
    with_stored_retention,
)

if TYPE_CHECKING:
    from mtlsearch.bundle import Manifest


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
        warn_of_other_data(session, in_use.run, warning)
        _check_normalization(session, in_use.record)
        network = load_trial(session, in_use.record)
        used = network_of_trial(session, in_use.record, in_use.folder.path)
        return _write(run, used, partial(save_weights, network), new, space, tuning)


def extend_bundle(
    bundle: Path,
    new: LoadedRun,
    space: str,
    out: Path,
    *,
    warning: Callable[[str], None],
    tuning: Tuning = FROZEN,
) -> Path:
    """Write the run directory of an extension of the network in a bundle.

    Args:
        bundle: folder of the bundle.
        new: the run file with new tasks and their data.
        space: name of the search space, unless the run file sets one.
        out: run directory; created if it does not exist.
        warning: is called if the graph of the bundle has a lower precision than its weights.
        tuning: which units are tuned; a bundle allows none.

    Returns:
        The path of its ``run.yaml``.

    Raises:
        ConfigError: the run file contradicts the network in use, or units are to be tuned.
        ExportError: the bundle is damaged, compressed, or from an earlier version.
        RunError: the directory contains something else, or this version cuts the backbone into
            other units.
    """
    from mtlsearch.bundle import WEIGHTS, open_bundle

    run = RunDirectory(out)
    check_run_directory(run)
    manifest = open_bundle(bundle).manifest
    used = network_of_bundle(bundle, manifest)
    if tuning.unfreeze:
        raise ConfigError(
            "a bundle contains no validation images, so that a drop of its tasks cannot be limited",
            where="--unfreeze",
            next_step="extend the run from which it was exported (`mtlsearch extend RUN --trial "
            f"{used.trial}`), or remove --unfreeze",
        )
    if "precision" in manifest.extra:
        warning(
            f"the graph of {bundle} has a lower precision than its weights, from which the "
            "extension starts: outputs are compared with those of the float32 network"
        )
    check = partial(_require_same_network, manifest, bundle)

    def save(path: Path) -> None:
        copyfile(bundle / WEIGHTS, path)

    with run.locked():
        return _write(run, used, save, new, space, tuning, check)


def _require_same_network(
    manifest: Manifest, bundle: Path, loaded: LoadedRun, weights: Path
) -> None:
    """Check that this version builds the network of a bundle, and that its weights fit."""
    from mtlsearch.data import per_channel

    config = loaded.config
    cut = load_cut_backbone(config, manifest.backbone, should_load_weights=False)
    image = manifest.preprocessing
    numbers = [per_channel(values, len(image.mean)) for values in (cut.mean, cut.std)]
    if cut.units != manifest.units or numbers != [image.mean, image.std]:
        raise RunError(
            "this version cuts the backbone into other units than those of the bundle, or "
            "normalizes its images differently",
            where=str(bundle),
            next_step=f"use mtlsearch {manifest.mtlsearch} and the timm version of the export, or "
            "export the bundle again",
        )
    resolved = build_registry(config.plugins).resolve(loaded)
    assert config.extends is not None  # set by `_extended_run`
    candidate = Candidate.from_json(config.extends.candidate)
    KeptNetwork(config.extends, candidate, resolved.build_kept_tasks(), weights).network(cut)


def _write(
    run: RunDirectory,
    used: NetworkInUse,
    save: Callable[[Path], object],
    new: LoadedRun,
    space: str,
    tuning: Tuning,
    check: Callable[[LoadedRun, Path], None] | None = None,
) -> Path:
    """Write run file and weights of an extension, unless the directory has another search."""
    _check_tuning(tuning, len(used.candidate.plan.rows))
    weights = run.path / "kept.safetensors"
    is_new = not weights.is_file()
    written = weights.with_suffix(".new")
    try:
        save(written)
        loaded = _extended_run(used, new, space, run, _sha256(written), tuning)
        config = loaded.config
        if check is not None:
            check(loaded, written)
        if run.journal.exists() or run.study_name.exists() or run.trial_numbers():
            require_same_search(run, config)
        if is_new or _sha256(weights) != _sha256(written):
            written.replace(weights)
    finally:
        written.unlink(missing_ok=True)
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


def _extended_run(
    used: NetworkInUse,
    new: LoadedRun,
    space: str,
    run: RunDirectory,
    digest: str,
    tuning: Tuning,
) -> LoadedRun:
    """Return the run file of the extension."""
    config = new.config
    if config.extends is not None:
        raise ConfigError(
            "`extends` is set by `mtlsearch extend`",
            where=new.where("extends"),
            next_step="remove it from the run file of the new tasks",
        )
    _check_equal(new, used, "backbone", used.backbone)
    _check_equal(new, used, "data", used.images)
    tree = config.model_copy(
        update={"search": with_stored_retention(run, config.search)}
    ).model_dump()
    tree["backbone"] = {**tree["backbone"], **used.backbone, **_start(new, used)}
    tree["data"] |= used.images
    if config.search.space is None:
        tree["search"]["space"] = SpaceEntry(kind=space).model_dump()
    tree["plugins"] = list(dict.fromkeys([*used.plugins, *config.plugins]))
    tree["extends"] = {
        "run": used.source,
        "trial": used.trial,
        "weights": digest,
        "candidate": used.candidate.to_json(),
        "tasks": used.tasks,
        "tasks_with_attention": used.tasks_with_attention,
        "labels": used.labels,
        "metrics": used.metrics,
        "latency_ms": used.latency_ms,
        "unfreeze": tuning.unfreeze,
        **({} if tuning.max_drop is None else {"max_drop": tuning.max_drop}),
        "images": used.validation,
    }
    return load_run(tree)


def _check_equal(
    new: LoadedRun, used: NetworkInUse, section: str, expected: Mapping[str, Any]
) -> None:
    """Check that the run file sets no other value of a key than the network in use has."""
    values = getattr(new.config, section)
    for key, value in expected.items():
        given = getattr(values, key)
        if key in values.model_fields_set and given != value:
            raise ConfigError(
                f"`{section}.{key}` is {given!r}, and the network in use has {value!r}",
                where=new.where(section, key),
                allowed=[str(value)],
                next_step=f"remove the key: {used.name} determines it",
            )


def _start(new: LoadedRun, used: NetworkInUse) -> Mapping[str, Any]:
    """Return the weights from which a single-task network of a new task starts."""
    backbone = new.config.backbone
    if any(key in backbone.model_fields_set for key in STARTS):
        return {key: getattr(backbone, key) for key in STARTS}
    if used.start is None:
        raise ConfigError(
            "the weights from which the network in use started are unknown or belong to its tasks, "
            "and the new tasks have none",
            where=new.where("backbone"),
            next_step="set `backbone.pretrained: true` or `backbone.checkpoint_path`, from which "
            "a single-task network of a new task starts",
        )
    return used.start


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
