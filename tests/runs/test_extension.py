"""Runs that extend a network in use: their start, their run file, and what they refuse."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mtlsearch import runs
from mtlsearch.cli.commands import _extend
from mtlsearch.config import STORAGE_PASSWORD, RunConfig, load_run, save_resolved
from mtlsearch.errors import ConfigError
from mtlsearch.registry import build_registry
from mtlsearch.runs import InUse, load_cut_backbone, open_kept_network
from mtlsearch.study import RunDirectory
from tests.cli.program import call
from tests.registry.plugins import SPACE, write

ROOT = Path(__file__).parents[2]

RUN_FILE = """\
data:
  root: data
  sources: {kind: scenes, train: 8, val: 4, test: 3, image_size: 32}
  image_size: 32
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 8}
search: {space: tree, trials: 3, attention: true}
"""
NEW = """\
data:
  sources: {kind: scenes, train: 8, val: 4, test: 3, image_size: 32}
tasks:
  objects: {kind: detection, channels: 8}
train: {epochs: 1, batch_size: 8}
search: {trials: 2}
"""
PASSWORD = "postgresql://me:secret@127.0.0.1:9/mtlsearch"


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run whose trials have attention."""
    folder = tmp_path_factory.mktemp("used")
    (folder / "data").mkdir()
    (folder / "run.yaml").write_text(RUN_FILE)
    (folder / "new.yaml").write_text(NEW)
    result = call("search", folder / "run.yaml", "--out", folder / "used", "--device", "cpu")
    assert result.returncode == 0, result.stderr
    return folder


def extend(
    folder: Path, run: Path, *arguments: str, trial: int = 1, **replaced: str
) -> CompletedProcess[str]:
    """Extend a trial of a run, by default the hard baseline."""
    file = folder / "new.yaml"
    if replaced:
        file = file.with_name("other.yaml")
        text = NEW
        for key, line in replaced.items():
            text = re.sub(rf"(?m)^{key}:.*\n", "", text) + f"{key}: {line}\n"
        file.write_text(text)
    return call(
        *("extend", folder / "used", file, "--trial", str(trial), "--out", run, "--device", "cpu"),
        *arguments,
    )


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Record the storage that each search of an extension opens, instead of the search."""
    storages: list[str | None] = []

    def search(config: Path, *_: object) -> None:
        storages.append(load_run(config, env=os.environ).config.search.storage)

    monkeypatch.setattr(_extend, "_search", search)
    return storages


def settings_of(run: Path) -> RunConfig:
    return load_run(run / "run.yaml").config


def untrained(folder: Path) -> Path:
    """Return the run directory of an extension without trials."""
    tree = {
        "data": {"sources": {"kind": "scenes"}},
        "tasks": {"objects": {"kind": "detection"}},
        "backbone": {"name": "test_resnet"},
        "search": {"space": "branch"},
        "extends": {
            "run": folder / "used",
            "trial": 0,
            "weights": "0" * 64,
            "candidate": {"plan": [[["scene"]]] * 3},
            "tasks": {"scene": {"kind": "classification"}},
            "labels": {},
        },
    }
    run = folder / "run"
    run.mkdir()
    save_resolved(load_run(tree).config, run / "run.yaml")
    (run / "study.journal").touch()
    return run


def listed_commands() -> list[str]:
    page = (ROOT / "docs" / "extend.md").read_text()
    sentence = re.search(r"So are\s+compressed trials.*?:", page, re.DOTALL)
    assert sentence is not None
    return re.findall(r"`([a-z]+)`", sentence[0])


ARGUMENTS = {
    "estimate": ("run.yaml", "--out", "other"),
    "affinity": ("run.yaml", "--out", "other"),
    "compress": (".", "--flops", "0.5x"),
    "filter": (".",),
}


def test_every_refused_command_is_listed() -> None:
    assert set(listed_commands()) == set(ARGUMENTS)


@pytest.mark.parametrize("command", listed_commands())
def test_listed_command_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(untrained(tmp_path))
    result = call(command, *ARGUMENTS[command])
    assert result.returncode != 0
    text = " ".join(result.stderr.split())
    assert "keeps scene" in text or "keep scene" in text
    assert f"use {command} on the run of the network in use" in text


@pytest.mark.parametrize("key", ["params", "flops", "latency_ms"])
def test_relative_limit_is_named(used: Path, tmp_path: Path, key: str) -> None:
    result = extend(used, tmp_path / "run", limits=f"{{{key}: 0.8x}}")
    assert result.returncode == 2
    text = " ".join(result.stderr.split())
    assert f"`limits.{key}: 0.8x`" in text
    assert "multiples of independent or hard" in text


def test_resumed_extension_keeps_stored_weights_retention(
    used: Path, tmp_path: Path, searches: list[str | None]
) -> None:
    run = tmp_path / "run"
    for arguments, keep in (
        (("--set", "search.keep_weights=all"), "all"),
        ((), "all"),
        (("--set", "search.keep_weights=3"), 3),
    ):
        result = extend(used, run, *arguments)
        assert result.returncode == 0, result.stderr
        assert settings_of(run).search.keep_weights == keep
    assert len(searches) == 3


@pytest.mark.parametrize("is_in_file", [True, False])
def test_storage_password_reaches_the_search(
    used: Path, tmp_path: Path, searches: list[str | None], is_in_file: bool
) -> None:
    run = tmp_path / "run"
    if is_in_file:
        result = extend(used, run, search=f"{{storage: '{PASSWORD}'}}")
    else:
        result = extend(used, run, "--set", f"search.storage={PASSWORD}")
    assert result.returncode == 0, result.stderr
    assert searches == [PASSWORD]
    assert "secret" not in (run / "run.yaml").read_text()
    assert STORAGE_PASSWORD not in os.environ


def test_extension_of_attention_can_be_extended_again(
    used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    result = extend(used, first, "--trials", "1", trial=2)
    assert result.returncode == 0, result.stderr
    monkeypatch.setattr(_extend, "_search", lambda *_: None)
    new = tmp_path / "more.yaml"
    new.write_text(NEW.replace("objects:", "things:"))
    result = call("extend", first, new, "--trial", "0", "--out", second, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    resolved = build_registry().resolve(load_run(second / "run.yaml"))
    kept = open_kept_network(resolved, RunDirectory(second))
    assert kept is not None
    assert kept.tasks_with_attention == {"scene", "shapes"}
    network = kept.network(load_cut_backbone(resolved.config, "test_resnet"))
    assert any("attention" in key or "gate" in key for key in network.state_dict())


@pytest.mark.parametrize("is_moved", [True, False])
def test_data_root_is_that_of_moved_data_only(
    used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_moved: bool
) -> None:
    class StopError(Exception):
        pass

    def start(in_use: InUse, *_: object, **__: object) -> Path:
        roots.append(in_use.resolved.config.data.root)
        raise StopError

    roots: list[Path] = []
    folder, new_root = shutil.copytree(used, tmp_path / "copy"), tmp_path / "new"
    new_root.mkdir()
    old = settings_of(folder / "used")
    root = tmp_path / "missing" if is_moved else old.data.root
    data = old.data.model_copy(update={"root": root})
    save_resolved(old.model_copy(update={"data": data}), folder / "used" / "run.yaml")
    monkeypatch.setattr(runs, "start_extension", start)
    with suppress(StopError, AssertionError):
        extend(folder, tmp_path / "run", "--data-root", str(new_root))
    assert roots == [new_root if is_moved else root]


def test_missing_weights_are_found_before_a_trial(
    used: Path, tmp_path: Path, searches: list[str | None]
) -> None:
    run = tmp_path / "run"
    assert extend(used, run).returncode == 0
    (run / "kept.safetensors").unlink()
    result = call("worker", run / "run.yaml", "--out", tmp_path / "other", "--device", "cpu")
    assert result.returncode != 0
    text = " ".join(result.stderr.split())
    assert "copy the file from the machine on which `mtlsearch extend` ran" in text
    assert "search.artifacts" in text
    assert not list((tmp_path / "other").glob("trials/*"))


def test_missing_space_lists_those_of_an_ordinary_run(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN_FILE.replace("space: tree, ", ""))
    with pytest.raises(ConfigError, match="names no search space") as error:
        build_registry().resolve(load_run(tmp_path / "run.yaml"))
    assert "space: tree" in error.value.allowed
    assert "space: branch" not in error.value.allowed


def test_space_of_a_plugin_makes_the_default_ambiguous(
    used: Path, tmp_path: Path, searches: list[str | None]
) -> None:
    space = SPACE.format(name="mine").replace("    name =", "    extends = True\n    name =")
    plugins = write(tmp_path / "plugins", {"mine": space})
    result = extend(used, tmp_path / "run", plugins=f"[{plugins}]")
    assert result.returncode == 2
    assert "space: branch" in result.stderr
    assert "space: mine" in result.stderr
    result = extend(used, tmp_path / "run", plugins=f"[{plugins}]", search="{space: branch}")
    assert result.returncode == 0, result.stderr
