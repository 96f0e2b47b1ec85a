"""What fails is said in a few lines, with the exit code of its sort."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.cli import Command, _app, main
from mtlsearch.errors import ConfigError, DataError, UnknownNameError
from tests.cli.inside import call
from tests.cli.program import run


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> int:
    """Exit code of a command that raises."""

    def spaces(ctx: _app.typer.Context) -> None:
        """Fail."""
        raise error

    from mtlsearch.cli import _spaces

    monkeypatch.setattr(_spaces, "spaces", spaces)
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "spaces"])
    return int(stopped.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            ConfigError("bad key", where="run.yaml:3", allowed=["a"], next_step="mend it"),
            2,
            "bad key",
        ),
        (UnknownNameError("task kind", "brred", ["breed"]), 2, "did you mean 'breed'?"),
        (DataError("truncated", where="photos/1.jpg"), 1, "photos/1.jpg"),
        (ZeroDivisionError("oh"), 70, "--debug shows the traceback"),
        (FileExistsError(17, "File exists", "a"), 1, "cannot read or write here: File exists"),
        (IsADirectoryError(21, "Is a directory", ".a.tmp", None, "a"), 1, "where:   a\n"),
        (OSError("oh"), 70, "--debug shows the traceback"),
        (OSError(9, "Bad file descriptor", "a"), 70, "--debug shows the traceback"),
        (FileNotFoundError(2, "No such file or directory", 3), 70, "this is a mistake"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_code_and_message(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    says: str,
) -> None:
    assert raising(monkeypatch, error) == code
    out, err = capsys.readouterr()
    assert err.startswith("stopped: " if code == 130 else "error: ")
    assert says in err
    assert len(err.splitlines()) <= 5
    assert "Traceback" not in err
    assert out == ""


def test_what_where_allowed_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(
        monkeypatch,
        ConfigError("bad [key]", where="run.yaml:3", allowed=["a", "b"], next_step="mend it"),
    )
    assert capsys.readouterr().err.splitlines() == [
        "error: bad [key]",
        "  where:   run.yaml:3",
        "  allowed: a, b",
        "  next:    mend it",
    ]


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("oh"),
        DataError("truncated"),
        PermissionError(13, "Permission denied", "a"),
    ],
)
def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    raising(monkeypatch, error, "--debug")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["serch"], ["search"], ["search", "--nope"], ["leaderboard", "x", "--format", "yaml"]],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_misspelt_command_is_guessed() -> None:
    assert "Did you mean 'search'" in run("serch").stderr


@pytest.mark.parametrize("command", ["leaderboard", "export"])
def test_a_run_that_is_not_there(tmp_path: Path, command: str) -> None:
    more = ["--out", str(tmp_path / "bundle")] if command == "export" else []
    done = run(command, tmp_path / "nowhere", *more)
    assert done.returncode == 1
    assert "there is no run here" in done.stderr


@pytest.mark.parametrize("below", ["", "g", "g/h"])
def test_a_file_where_a_folder_is_needed(tmp_path: Path, below: str) -> None:
    (tmp_path / "f").write_text("a file")
    done = call("init", tmp_path / "f" / below)
    assert done.code == 1
    assert done.err.startswith("error: cannot read or write here: ")
    assert f"  where:   {tmp_path / 'f'}" in done.err
    assert "choose another path" in done.err
    assert (tmp_path / "f").read_text() == "a file"


def test_the_table_names_functions_that_are_there() -> None:
    import importlib

    for command in _app.COMMANDS:
        assert isinstance(command, Command)
        assert callable(getattr(importlib.import_module(command.module), command.name))
