"""Exit codes and messages of commands that fail."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import typer

from mtlsearch.cli import COMMANDS, Command, main
from mtlsearch.errors import ConfigError, DataError, InfrastructureError, UnknownNameError
from tests.cli.program import call, run


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> int:
    """Return the exit code of a command that raises."""

    def units(ctx: typer.Context) -> None:
        """Fail."""
        raise error

    from mtlsearch.cli.commands import _units

    monkeypatch.setattr(_units, "units", units)
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "units"])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            ConfigError("bad key", where="run.yaml:3", allowed=["a"], next_step="set key"),
            2,
            "bad key",
        ),
        (UnknownNameError("task kind", "brred", ["breed"]), 2, "did you mean 'breed'?"),
        (DataError("truncated", where="photos/1.jpg"), 1, "photos/1.jpg"),
        (ZeroDivisionError("oh"), 70, "--debug shows the traceback"),
        (FileExistsError(17, "File exists", "a"), 1, "cannot be written: it exists and is not a"),
        (IsADirectoryError(21, "Is a directory", ".a.tmp", None, "a"), 1, "where:   a\n"),
        (OSError("oh"), 70, "--debug shows the traceback"),
        (OSError(9, "Bad file descriptor", "a"), 70, "--debug shows the traceback"),
        (FileNotFoundError(2, "No such file or directory", 3), 70, "this is a bug"),
        (OSError(28, "No space left on device"), 75, "no space is left on the disk\n  next:"),
        (MemoryError(), 75, "the memory of this machine is exhausted"),
        (InfrastructureError("the database does not answer"), 75, "does not answer"),
        (SystemExit(0), 70, "the program was ended by its code: sys.exit(0)"),
        (KeyboardInterrupt(), 130, "by Ctrl-C"),
    ],
)
def test_error_gives_exit_code_and_message(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    message: str,
) -> None:
    assert raising(monkeypatch, error) == code
    out, err = capsys.readouterr()
    assert err.startswith("interrupted: " if code == 130 else "error: ")
    assert message in err
    assert len(err.splitlines()) <= 5
    assert "Traceback" not in err
    assert out == ""


def test_error_shows_where_allowed_and_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(
        monkeypatch,
        ConfigError("bad [key]", where="run.yaml:3", allowed=["a", "b"], next_step="set key"),
    )
    assert capsys.readouterr().err.splitlines() == [
        "error: bad [key]",
        "  where:   run.yaml:3",
        "  allowed: a, b",
        "  next:    set key",
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
def test_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_misspelled_command_is_corrected() -> None:
    """In a process of its own: its exit code must reach the shell."""
    result = run("serch")
    assert result.returncode == 2
    assert "did you mean 'search'?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search"], "the argument RUN.yaml is missing"),
        (["search", "a", "b"], "unexpected argument 'b'"),
        (["search", "a", "--trials", "x"], "`--trials` must be an integer, got 'x'"),
        (["search", "a", "--trials", "0"], "`--trials` must be greater than or equal to 1"),
        (["search", "a", "--trials"], "`--trials` needs a value"),
        (["search", "a", "--trails", "1"], "unknown option '--trails'; did you mean '--trials'?"),
        (["search", "a", "--quiet=1"], "`--quiet` takes no value"),
        (["export", "a"], "`--out` is missing"),
        (["leaderboard", "a", "--format", "xml"], "allowed: table, csv, json, markdown"),
        (["-v"], "the command is missing"),
        (["tasks"], "`mtlsearch tasks` is now `mtlsearch list tasks`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_command_line_is_described(arguments: list[str], message: str) -> None:
    result = call(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "where:   mtlsearch" in result.stderr
    assert not any(word in result.stderr for word in ("Input should", "Invalid value", "valid "))


@pytest.mark.parametrize(
    ("number", "reason"), [(13, "permission denied"), (28, "no space is left"), (30, "read-only")]
)
def test_refused_output_names_option_and_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, reason: str
) -> None:
    def refuse(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(number, "refused", str(path))

    bundle = tmp_path / "network"
    monkeypatch.setattr("mtlsearch.cli.commands._sample.open_run", lambda *_: refuse(bundle / "a"))
    result = call("sample", "run.yaml", "--out", bundle)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: the path of `--out` cannot be written: ")
    assert reason in lines[0]
    assert lines[1] == f"  where:   {bundle / 'a'} (--out {bundle})"
    assert "set --out to another path" in lines[2]
    assert number == 30 or str(tmp_path) in lines[2]


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("file", "it exists and is not a folder"),
        ("file/folder", "a part of the path is a file"),
    ],
)
def test_search_into_a_file_is_refused_plainly(tmp_path: Path, out: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    call("init", tmp_path / "run.yaml")
    result = call("search", tmp_path / "run.yaml", "--out", tmp_path / out)
    assert result.returncode == 1
    assert f"the path of `--out` cannot be written: {reason}" in result.stderr
    assert "set --out to another path" in result.stderr


SLOW_IMPORT = """
import os, signal, sys, types
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "torch":
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt as stop:
                raise ImportError("initialization failed") from stop
sys.meta_path.insert(0, Finder())
"""


def test_interrupt_during_an_import_ends_quietly() -> None:
    result = run("units", "resnet18", prelude=SLOW_IMPORT)
    assert result.returncode == 130
    assert result.stderr == "interrupted: by Ctrl-C\n"


def test_error_raised_for_an_interrupt_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ImportError("initialization failed")
    error.__context__ = KeyboardInterrupt()
    assert raising(monkeypatch, error) == 130
    assert capsys.readouterr().err == "interrupted: by Ctrl-C\n"


@pytest.mark.parametrize("command", ["leaderboard", "export"])
def test_missing_run_directory_is_an_error(tmp_path: Path, command: str) -> None:
    more = ["--out", str(tmp_path / "bundle")] if command == "export" else []
    result = call(command, tmp_path / "nowhere", *more)
    assert result.returncode == 1
    assert "not a run directory" in result.stderr


@pytest.mark.parametrize("below", ["g", "g/h"])
def test_file_in_place_of_a_folder_is_an_error(tmp_path: Path, below: str) -> None:
    (tmp_path / "f").write_text("a file")
    result = call("init", tmp_path / "f" / below)
    assert result.returncode == 1
    assert result.stderr.startswith("error: the path")
    assert f"  where:   {tmp_path / 'f'}" in result.stderr
    assert "another path" in result.stderr
    assert (tmp_path / "f").read_text() == "a file"


def test_table_names_functions_that_exist() -> None:
    for command in COMMANDS:
        assert isinstance(command, Command)
        assert callable(getattr(importlib.import_module(command.module), command.function))


FAULTY = """
from torch import nn
from mtlsearch.plugin import Form, Metric, OutputSpec, Settings, Task, hookimpl

class Head(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.linear = nn.Linear(channels, classes)
    def forward(self, levels):
        return {{"logits": self.linear(levels[-1]{pool})}}

class Faulty(Task):
    kind = "faulty"
    summary = "does one thing wrong"
    accepts = (Form.CATEGORY,)
    metrics = (Metric("accuracy", higher_is_better=True, primary=True),)
    @property
    def output(self):
        return OutputSpec(Form.CATEGORY, self.label.classes)
    def build_head(self, features):
        return Head(features.levels[-1].channels, len(self.label.classes))
    def loss(self, outputs, targets):
        return nn.functional.cross_entropy({loss}, targets)
    def meter(self):
        return self
    def update(self, outputs, targets):
        {update}
    def compute(self):
        return {{{metric!r}: 0.5}}
    def predict(self, outputs):
        return {{"scores": outputs["logits"].softmax(1)}}

@hookimpl
def mtlsearch_tasks():
    return [Faulty]
"""

RUN_OF_FAULTY = """
plugins: [mine]
data: {sources: {kind: scenes, train: 4, val: 2, test: 1, image_size: 32}, image_size: 32}
tasks: {scene: {kind: faulty}}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 2}
search: {space: tree, trials: 1}
"""


def search_with(
    folder: Path,
    pool: str = ".mean((2, 3))",
    loss: str = "outputs['logits']",
    metric: str = "accuracy",
    update: str = "pass",
) -> list[str]:
    """Return the lines of the error of a search whose task has one fault."""
    (folder / "mine").mkdir()
    parts = {"pool": pool, "loss": loss, "metric": metric, "update": update}
    (folder / "mine" / "faulty.py").write_text(FAULTY.format(**parts))
    (folder / "run.yaml").write_text(RUN_OF_FAULTY)
    result = call("search", folder / "run.yaml", "--out", folder / "run")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    return result.stderr[result.stderr.index("error: ") :].splitlines()


def test_head_that_fails_names_its_task(tmp_path: Path) -> None:
    lines = search_with(tmp_path, pool="")
    assert lines[0].startswith("error: the head of task 'scene' fails: RuntimeError: mat1 and mat2")
    assert lines[1] == f"  where:   task kind 'faulty', {tmp_path / 'mine' / 'faulty.py'}"
    assert "--debug" in lines[2]
    assert not (tmp_path / "run" / "trials").exists()  # nothing was trained


def test_loss_that_fails_names_its_task_before_training(tmp_path: Path) -> None:
    lines = search_with(tmp_path, loss="outputs['nothing']")
    assert lines[0] == "error: the loss of task 'scene' fails: KeyError: 'nothing'"
    assert lines[1] == f"  where:   task kind 'faulty', {tmp_path / 'mine' / 'faulty.py'}"
    assert "--debug" in lines[-1]
    assert not (tmp_path / "run" / "trials").exists()  # nothing was trained


def test_plugin_that_raises_names_file_and_line(tmp_path: Path) -> None:
    update = "raise KeyError('nothing')"
    lines = search_with(tmp_path, update=update)
    file = tmp_path / "mine" / "faulty.py"
    source = file.read_text().splitlines()
    (number,) = [number for number, text in enumerate(source, 1) if update in text]
    assert lines[0] == "error: KeyError: 'nothing'"
    assert lines[1] == f"  where:   {file}:{number}, in Faulty.update"
    assert "--debug" in lines[-1]


def test_meter_with_undeclared_metric_is_an_error(tmp_path: Path) -> None:
    lines = search_with(tmp_path, metric="acc")
    assert lines[0] == "error: the meter of task 'scene' returned acc; declared: accuracy"
    assert lines[1] == f"  where:   task kind 'faulty', {tmp_path / 'mine' / 'faulty.py'}"


PLAIN = RUN_OF_FAULTY.replace("plugins: [mine]\n", "").replace("faulty", "classification")


@pytest.mark.parametrize("command", ["search", "check"])
def test_unknown_backbone_ends_with_2(tmp_path: Path, command: str) -> None:
    (tmp_path / "run.yaml").write_text(PLAIN)
    options = ["--set", "backbone.name=resnet_18"]
    if command == "search":
        options += ["--out", str(tmp_path / "run")]
    result = call(command, tmp_path / "run.yaml", *options)
    assert result.returncode == 2
    assert "unknown timm model 'resnet_18'; did you mean 'resnet18'?" in result.stderr
    assert "where:   --set backbone.name=resnet_18" in result.stderr


def test_too_large_granularity_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(PLAIN)
    options = ["--set", "backbone.granularity=99", "--out", str(tmp_path / "run")]
    result = call("search", tmp_path / "run.yaml", *options)
    assert result.returncode == 1
    assert f"where:   granularity, named in {tmp_path / 'run.yaml'}:4 (backbone)" in result.stderr
