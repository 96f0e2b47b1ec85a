"""Start of the program: fast, since torch is imported only by commands that need it."""

from __future__ import annotations

import pytest

import mtlsearch
from mtlsearch.cli import COMMANDS, Command
from tests.cli.program import ENVIRONMENT, call, run

HEAVY = {"torch", "timm", "pandas", "optuna", "matplotlib", "onnxruntime", "numpy"}
REPORT = (
    "import atexit, sys; atexit.register(lambda: sys.stderr.write("
    "'loaded: ' + ' '.join(name for name in sys.modules if '.' not in name) + '\\n'))\n"
)

each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


def imported_packages(*arguments: str) -> set[str]:
    """Return the packages that a new process imports."""
    result = run(*arguments, prelude=REPORT)
    return set(result.stderr.rpartition("loaded: ")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["no-such-command"], ["search", "no-such-file.yaml"]]
    + [[command.name, "--help"] for command in COMMANDS],
    ids=" ".join,
)
def test_start_imports_no_heavy_package(arguments: list[str]) -> None:
    packages = imported_packages(*arguments)
    assert "typer" in packages
    assert not packages & HEAVY


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
