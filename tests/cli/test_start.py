"""The program starts fast: no torch until a command needs it."""

from __future__ import annotations

import pytest

from mtlsearch.cli import COMMANDS
from tests.cli.program import run

HEAVY = ("torch", "timm", "pandas", "optuna", "matplotlib", "onnxruntime", "numpy")
REPORT = (
    "import atexit, sys; atexit.register(lambda: sys.stderr.write("
    "'loaded: ' + ' '.join(name for name in sys.modules if '.' not in name) + '\\n'))\n"
)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["no-such-command"], ["search", "no-such-file.yaml"]]
    + [[command.name, "--help"] for command in COMMANDS],
    ids=" ".join,
)
def test_no_heavy_import(arguments: list[str]) -> None:
    done = run(*arguments, prelude=REPORT)
    loaded = done.stderr.rpartition("loaded: ")[2].split()
    assert "typer" in loaded
    assert not set(loaded) & set(HEAVY)


def test_help_shows_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command.name} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command: object) -> None:
    done = run(getattr(command, "name"), "--help")  # noqa: B009
    assert done.returncode == 0
    assert "--quiet" in done.stdout
    assert "--plugins" in done.stdout


def test_nothing_is_help() -> None:
    assert "leaderboard" in run().stdout + run().stderr


def test_version() -> None:
    import mtlsearch

    assert run("--version").stdout == f"mtlsearch {mtlsearch.__version__}\n"
