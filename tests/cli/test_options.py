"""Options that every command has work before and behind its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.inside import call
from tests.cli.program import run
from tests.registry.plugins import BROKEN, good, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(good(tmp_path / "mine"), {"no_import": BROKEN["no_import"][0]})


def test_plugins_before_and_behind(folder: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", {"extra": "raise ValueError('from other')\n"})
    before = run("--plugins", folder, "--plugins", other, "plugins")
    behind = run("plugins", "--plugins", folder, "--plugins", other)
    both = run("--plugins", folder, "plugins", "--plugins", other)
    assert before.stdout == behind.stdout == both.stdout
    assert before.stderr == behind.stderr == both.stderr
    assert "search space flat" in before.stdout
    assert "plugin 'no_import' does not work: ModuleNotFoundError" in before.stderr
    assert "plugin 'extra' does not work: ValueError: from other" in before.stderr
    assert before.returncode == 0


def test_a_plugin_folder_that_is_not_there(tmp_path: Path) -> None:
    done = run("plugins", "--plugins", tmp_path / "nowhere")
    assert done.returncode == 1
    assert str(tmp_path / "nowhere") in done.stderr


@pytest.mark.parametrize("place", ["before", "behind"])
def test_quiet_says_results_alone(folder: Path, place: str) -> None:
    arguments = ["spaces", "--plugins", str(folder)]
    arguments = ["--quiet", *arguments] if place == "before" else [*arguments, "--quiet"]
    done = run(*arguments)
    assert done.stderr == ""
    assert "flat" in done.stdout


def test_debug_behind_the_name(folder: Path) -> None:
    done = run("plugins", "--plugins", folder, "--debug")
    assert "Traceback" in done.stderr
    assert "a_module_nobody_has" in done.stderr


def test_verbose_says_more() -> None:
    assert "backbones" not in call("backbones", "resnet18").err
    assert "backbones" in call("backbones", "resnet18", "-v").err
