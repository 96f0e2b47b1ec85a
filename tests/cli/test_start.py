"""Start of the program: fast, since torch is imported only by commands that need it."""

from __future__ import annotations

import json

import pytest

import mtlsearch
from mtlsearch.cli import COMMANDS, Command
from tests.cli.program import ENVIRONMENT, call, run_python

HEAVY = {"torch", "timm", "pandas", "optuna", "matplotlib", "onnxruntime", "numpy"}
REPORT = """
import json, sys
from mtlsearch.cli import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit:
        pass
    print("loaded:", *(name for name in sys.modules if "." not in name), file=sys.stderr)
"""
"""Runs commands one after another and prints what is imported after each."""

each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


def test_start_imports_no_heavy_package() -> None:
    starts = [["--help"], ["--version"], ["no-such-command"], ["search", "no-such-file.yaml"]]
    starts += [[command.name, "--help"] for command in COMMANDS]
    result = run_python(["-c", REPORT, json.dumps(starts)])
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("loaded: ")]
    for arguments, line in zip(starts, lines, strict=True):
        packages = set(line.split())
        assert "typer" in packages
        assert not packages & HEAVY, arguments


def test_help_shows_every_command() -> None:
    result = call("--help")
    assert result.returncode == 0
    for command in COMMANDS:
        assert f" {command.name} " in result.stdout


@each_command
def test_command_help_shows_global_options(command: Command) -> None:
    result = call(command.name, "--help")
    assert result.returncode == 0
    assert "--quiet" in result.stdout
    assert "--plugins" in result.stdout


@each_command
@pytest.mark.parametrize("width", ["80", "120"])
def test_command_help_fits_the_width(
    command: Command, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "COLUMNS", width)
    lines = call(command.name, "--help").stdout.splitlines()
    assert max(map(len, lines)) <= int(width)
    assert not any(sign in line for line in lines for sign in ("<bool>", "{", "…"))


def test_no_arguments_show_help() -> None:
    result = call()
    assert "leaderboard" in result.stdout + result.stderr


def test_version_is_printed() -> None:
    assert call("--version").stdout == f"mtlsearch {mtlsearch.__version__}\n"
