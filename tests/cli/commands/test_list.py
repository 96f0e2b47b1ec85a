"""``list`` and ``units``: one line per entry, and every setting of one entry."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import get_args

import pytest
from rich.text import Text

from mtlsearch.cli._console import PIPE_WIDTH, Console
from mtlsearch.cli._table import RENAMED
from mtlsearch.cli.commands._list import LISTINGS, Kind
from mtlsearch.plugin import Task
from mtlsearch.registry import PluginRegistry, build_registry
from tests.cli.program import call
from tests.registry.plugins import BROKEN, good, write

KINDS = ["tasks", "datasets", "spaces", "balancers", "loggers"]


@pytest.fixture(scope="module")
def registry() -> PluginRegistry:
    return build_registry()


def joined(lines: list[str]) -> str:
    """Return wrapped lines as one line."""
    return " ".join(" ".join(lines).split())


def settings_of(kind: str, name: str) -> dict[str, str]:
    """Return the rows of a table of settings by key, each as one line."""
    lines = call("list", kind, name).stdout.splitlines()
    rows: dict[str, str] = {}
    for line in lines[lines.index("Settings:") + 2 :] if "Settings:" in lines else []:
        key = line.split()[0] if not line.startswith(" ") else list(rows)[-1]
        rows[key] = joined([rows.get(key, ""), line])
    return rows


def test_every_kind_can_be_listed() -> None:
    assert set(get_args(Kind)) == {*LISTINGS, "backbones", "plugins"}
    renamed = {*LISTINGS, "backbones", "plugins"} - {"sources", "loggers"}
    assert renamed == {*RENAMED} - {"train"}
    assert call("list", "sources").stdout == call("list", "datasets").stdout


@pytest.mark.parametrize("kind", KINDS)
def test_list_prints_one_line_per_class(registry: PluginRegistry, kind: str) -> None:
    classes = getattr(registry, kind)
    result = call("list", kind)
    assert result.returncode == 0
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["name", "summary"]
    assert [line.split()[0] for line in lines] == list(classes)
    for name, line in zip(classes, lines, strict=True):
        assert line.endswith(classes[name].summary.rstrip())


@pytest.mark.parametrize("kind", KINDS)
def test_list_shows_settings_of_each_class(registry: PluginRegistry, kind: str) -> None:
    for name, cls in getattr(registry, kind).items():
        rows = settings_of(kind, name)
        for field, info in cls.Settings.model_fields.items():
            assert joined([info.description or ""]) in rows[field]


def test_dataset_shows_the_labels_of_each_source() -> None:
    for name, source in build_registry().datasets.items():
        assert source.label_summary
        lines = call("list", "datasets", name).stdout.splitlines()
        shown = joined(lines)
        assert joined([f"Labels: {source.label_summary}."]) in shown


def test_setting_has_type_default_and_description(tmp_path: Path) -> None:
    result = call("list", "datasets", "squares", "--plugins", good(tmp_path))
    settings = [line.split(maxsplit=3) for line in result.stdout.splitlines()[-2:]]
    assert settings == [
        ["setting", "type", "default", "description"],
        ["count", "integer", "4", "images of each split"],
    ]


@pytest.mark.parametrize(
    ("kind", "name", "setting"),
    [
        ("datasets", "manifest", "root"),
        ("datasets", "voc", "root"),
        ("tasks", "detection", "label"),
    ],
)
def test_key_of_the_host_precedes_settings(kind: str, name: str, setting: str) -> None:
    first, row = next(iter(settings_of(kind, name).items()))
    assert first == setting
    assert row.split()[4] == "null"


def test_generated_source_has_no_root() -> None:
    assert "root" not in settings_of("datasets", "scenes")


def test_task_kind_shows_its_labels(tmp_path: Path) -> None:
    result = call("list", "tasks", "shades", "--plugins", good(tmp_path))
    assert "Labels: category." in result.stdout
    assert inspect.cleandoc(Task.__doc__ or "").splitlines()[0] not in result.stdout


def test_task_kind_shows_its_metrics() -> None:
    assert "Metrics: NAME.mAP, NAME.mAP50." in call("list", "tasks", "detection").stdout
    lines = call("list", "tasks", "classification").stdout.splitlines()
    assert "Metrics (category): NAME.accuracy, NAME.f1, NAME.nll." in lines
    assert "Metrics (categories): NAME.mAP, NAME.nll." in lines


@pytest.mark.parametrize("kind", KINDS)
def test_list_leaves_out_sections_for_python_code(registry: PluginRegistry, kind: str) -> None:
    for name in getattr(registry, kind):
        output = call("list", kind, name).stdout
        assert not re.search(r"^(Args|Returns|Raises):", output, re.MULTILINE)


@pytest.mark.parametrize("kind", [*KINDS, "plugins"])
def test_unknown_name_is_an_error(kind: str) -> None:
    result = call("list", kind, "no_such_name")
    assert result.returncode == 2
    assert "unknown" in result.stderr
    assert "'no_such_name'" in result.stderr
    assert result.stdout == ""


def test_unknown_kind_is_an_error() -> None:
    result = call("list", "tusks")
    assert result.returncode == 2
    assert "'tasks'" in result.stderr


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_old_command_is_refused_with_the_new_one(old: str, new: str) -> None:
    for more in ([], ["name"], ["--help"]):
        result = call(old, *more)
        assert result.returncode == 2
        assert f"`mtlsearch {old}` is now `mtlsearch {new}`" in result.stderr
        assert result.stdout == ""


def test_list_plugins_shows_additions_and_origin(registry: PluginRegistry) -> None:
    result = call("list", "plugins")
    assert result.returncode == 0
    _, *lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= PIPE_WIDTH
    starts = [index for index, line in enumerate(lines) if not line.startswith(" ")]
    assert len(starts) == len(registry.plugins)
    for start, end, plugin in zip(starts, [*starts[1:], None], registry.plugins, strict=True):
        row = joined(lines[start:end])
        names = [name for added in plugin.contributions.values() for name in added]
        assert row.startswith(f"{plugin.name} {plugin.where}")
        assert row.endswith(", ".join(names))


def test_list_plugins_shows_one_by_name(tmp_path: Path) -> None:
    folder = write(good(tmp_path), {"no_import": BROKEN["no_import"][0]})
    working = call("list", "plugins", "coco", "--plugins", folder)
    assert [line.split()[0] for line in working.stdout.splitlines()] == ["plugin", "coco"]
    assert working.stderr == ""
    broken = call("list", "plugins", "no_import", "--plugins", folder)
    assert broken.stdout == ""
    assert "plugin 'no_import' failed to load: ModuleNotFoundError" in broken.stderr


def test_table_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    words = [f"word{index}" for index in range(40)]
    Console().table(("name", "from", "adds"), [("many", "here", ", ".join(words))])
    lines = Text.from_ansi(capsys.readouterr().out).plain.splitlines()
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).replace(",", " ").split()[5:] == words


def test_table_in_a_pipe_wraps_the_last_column(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"word{index}" for index in range(40)]
    Console().table(("name", "adds"), [("many", " ".join(words)), ("few", "word")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= PIPE_WIDTH
    assert joined(lines).split() == ["name", "adds", "many", *words, "few", "word"]
    assert {line[:6] for line in lines} == {"name  ", "many  ", "few   ", "      "}


def test_table_without_room_does_not_wrap(capsys: pytest.CaptureFixture[str]) -> None:
    cell, text = "x" * PIPE_WIDTH, "several words in the last column"
    Console().table(("name", "adds"), [(cell, text)])
    assert capsys.readouterr().out.splitlines()[1] == f"{cell}  {text}"


def test_backbones_by_part_and_by_pattern() -> None:
    part, pattern = call("list", "backbones", "resnet18"), call("list", "backbones", "resnet18*")
    assert "resnet18" in pattern.stdout.splitlines()
    assert set(pattern.stdout.splitlines()) < set(part.stdout.splitlines())
    assert all("resnet18" in line for line in part.stdout.splitlines())


def test_unknown_backbone_is_an_error() -> None:
    result = call("list", "backbones", "resnte18")
    assert result.returncode == 2
    assert "did you mean 'resnet18'?" in result.stderr


def test_units_shows_stride_and_cost() -> None:
    result = call("units", "test_resnet", "--granularity", "3", "--size", "64x96")
    assert result.returncode == 0, result.stderr
    header, *rows = [line.split() for line in result.stdout.splitlines()]
    assert header[:2] == ["unit", "modules"]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert rows[-1][3] == "32"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--granularity", "stages"], "allowed: stage, block, a number of units"),
        (["--size", "64x"], "128x160 (height x width)"),
        (["--size", "0"], "`--size` must be one or two numbers of pixels, got '0'"),
    ],
)
def test_units_refuses_wrong_options(options: list[str], message: str) -> None:
    result = call("units", "test_resnet", *options)
    assert result.returncode == 2
    assert message in result.stderr
