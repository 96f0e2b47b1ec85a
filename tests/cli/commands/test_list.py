"""What there is, one line each; what one is, every setting."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest
from rich.text import Text

from mtlsearch.cli._console import Console
from mtlsearch.plugin import Task
from mtlsearch.registry import PluginRegistry, build_registry
from tests.cli.program import run
from tests.registry.plugins import good


@pytest.fixture(scope="module")
def registry() -> PluginRegistry:
    return build_registry()


@pytest.mark.parametrize("command", ["tasks", "datasets", "spaces", "balancers"])
def test_one_line_each(registry: PluginRegistry, command: str) -> None:
    classes = getattr(registry, command)
    done = run(command)
    assert done.returncode == 0
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["name", "summary"]
    assert [line.split()[0] for line in lines] == list(classes)
    for name, line in zip(classes, lines, strict=True):
        assert line.endswith(classes[name].summary.rstrip())


def test_settings_of_a_balancer(registry: PluginRegistry) -> None:
    """Of one: there are too many to start a program for each."""
    done = run("balancers", "cagrad")
    assert done.returncode == 0
    (line,) = [at for at in done.stdout.splitlines() if at.split()[:1] == ["c"]]
    assert (registry.balancers["cagrad"].Settings.model_fields["c"].description or "") in line


@pytest.mark.parametrize("command", ["tasks", "datasets", "spaces"])
def test_settings_of_each(registry: PluginRegistry, command: str) -> None:
    for name, item in getattr(registry, command).items():
        done = run(command, name)
        assert done.returncode == 0
        for field, info in item.Settings.model_fields.items():
            (line,) = [at for at in done.stdout.splitlines() if at.split()[:1] == [field]]
            assert (info.description or "") in line


def test_a_setting_with_type_default_and_meaning(tmp_path: Path) -> None:
    done = run("datasets", "squares", "--plugins", good(tmp_path))
    settings = [line.split(maxsplit=3) for line in done.stdout.splitlines()[-2:]]
    assert settings == [
        ["setting", "type", "default", "meaning"],
        ["count", "integer", "4", "images of each split"],
    ]


@pytest.mark.parametrize(
    ("command", "name", "setting"),
    [
        ("datasets", "manifest", "root"),
        ("datasets", "voc", "root"),
        ("tasks", "detection", "label"),
    ],
)
def test_what_the_host_reads_beside_the_settings(command: str, name: str, setting: str) -> None:
    lines = [line.split(maxsplit=5) for line in run(command, name).stdout.splitlines()]
    at = next(at for at, line in enumerate(lines) if line[:1] == ["setting"])
    assert lines[at + 1][0] == setting
    assert lines[at + 1][4] == "null"


def test_a_source_that_draws_its_images_has_no_folder() -> None:
    assert "root" not in [
        line.split(maxsplit=1)[0] for line in run("datasets", "scenes").stdout.splitlines() if line
    ]


def test_a_kind_says_which_labels_it_learns(tmp_path: Path) -> None:
    done = run("tasks", "shades", "--plugins", good(tmp_path))
    assert "labels of the form category" in done.stdout
    assert inspect.cleandoc(Task.__doc__ or "").splitlines()[0] not in done.stdout  # not its own


@pytest.mark.parametrize("command", ["tasks", "datasets", "spaces", "balancers"])
def test_an_unknown_name(command: str) -> None:
    done = run(command, "nobody")
    assert done.returncode == 2
    assert "named 'nobody'" in done.stderr


def test_plugins_say_what_they_add_and_where_from(registry: PluginRegistry) -> None:
    done = run("plugins")
    assert done.returncode == 0
    lines = done.stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [plugin.name for plugin in registry.plugins]
    for line, plugin in zip(lines, registry.plugins, strict=True):
        assert plugin.where in line
        names = [name for added in plugin.contributions.values() for name in added]
        assert line.endswith(", ".join(names))
        assert len(line) <= 100 or len(names) > 1


def test_a_table_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    words = [f"word{at}" for at in range(40)]
    Console().table(("name", "from", "adds"), [("many", "here", ", ".join(words))])
    lines = Text.from_ansi(capsys.readouterr().out).plain.splitlines()
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).replace(",", " ").split()[5:] == words


def test_backbones_by_part_and_by_pattern() -> None:
    part, pattern = run("backbones", "resnet18"), run("backbones", "resnet18*")
    assert "resnet18" in pattern.stdout.splitlines()
    assert set(pattern.stdout.splitlines()) < set(part.stdout.splitlines())
    assert all("resnet18" in line for line in part.stdout.splitlines())


def test_no_such_backbone() -> None:
    done = run("backbones", "resnte18")
    assert done.returncode == 2
    assert "did you mean 'resnet18'?" in done.stderr


def test_units_with_their_size_and_work() -> None:
    done = run("units", "test_resnet", "--granularity", "3", "--size", "64x96")
    assert done.returncode == 0, done.stderr
    header, *rows = [line.split() for line in done.stdout.splitlines()]
    assert header[:2] == ["unit", "modules"]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert rows[-1][3] == "32"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--granularity", "stages"], "allowed: stage, block, a number of units"),
        (["--size", "64x"], "128x160 (height x width)"),
        (["--size", "0"], "is no image size"),
    ],
)
def test_units_of_what_makes_no_sense(options: list[str], says: str) -> None:
    done = run("units", "test_resnet", *options)
    assert done.returncode == 2
    assert says in done.stderr
