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

    from mtlsearch.cli.commands import _spaces

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
        (KeyboardInterrupt(), 130, "paused"),
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
        pass
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
data: {sources: {kind: scenes, train: 4, val: 2, test: 1, size: 32}, size: 32}
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
) -> list[str]:
    """What a search says whose task does one thing wrong."""
    (folder / "mine").mkdir()
    (folder / "mine" / "faulty.py").write_text(FAULTY.format(pool=pool, loss=loss, metric=metric))
    (folder / "run.yaml").write_text(RUN_OF_FAULTY)
    said = call("search", folder / "run.yaml", "--out", folder / "run")
    assert said.code != 0
    assert "Traceback" not in said.err
    return said.err[said.err.index("error: ") :].splitlines()


def test_a_head_that_does_not_fit_the_levels_names_its_task(tmp_path: Path) -> None:
    said = search_with(tmp_path, pool="")
    assert said[0].startswith("error: the head of task 'scene' fails: RuntimeError: mat1 and mat2")
    assert said[1] == f"  where:   task kind 'faulty', {tmp_path / 'mine' / 'faulty.py'}"
    assert "--debug" in said[2]
    assert not (tmp_path / "run" / "trials").exists()  # nothing was trained


def test_what_a_plugin_raises_at_work_names_its_line(tmp_path: Path) -> None:
    said = search_with(tmp_path, loss="outputs['nothing']")
    file = tmp_path / "mine" / "faulty.py"
    lines = file.read_text().splitlines()
    (line,) = [at for at, text in enumerate(lines, 1) if "cross_entropy" in text]
    assert said[0] == "error: KeyError: 'nothing'"
    assert said[1] == f"  where:   {file}:{line}, in Faulty.loss"
    assert "--debug" in said[-1]


def test_a_meter_that_measures_something_else_than_is_declared(tmp_path: Path) -> None:
    said = search_with(tmp_path, metric="acc")
    assert said[0] == "error: the meter of task 'scene' returned acc; declared: accuracy"
    assert said[1] == f"  where:   task kind 'faulty', {tmp_path / 'mine' / 'faulty.py'}"


PLAIN = RUN_OF_FAULTY.replace("plugins: [mine]\n", "").replace("faulty", "classification")


@pytest.mark.parametrize("command", ["search", "check"])
def test_a_backbone_that_is_not_there_is_a_name_asked_wrongly(tmp_path: Path, command: str) -> None:
    (tmp_path / "run.yaml").write_text(PLAIN)
    given = ["--set", "backbone.name=resnet_18"]
    if command == "search":
        given += ["--out", str(tmp_path / "run")]
    said = call(command, tmp_path / "run.yaml", *given)
    assert said.code == 2
    assert "no timm model named 'resnet_18'; did you mean 'resnet18'?" in said.err
    assert "where:   --set backbone.name=resnet_18" in said.err


def test_more_units_than_there_are_say_where_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(PLAIN)
    given = ["--set", "backbone.granularity=99", "--out", str(tmp_path / "run")]
    said = call("search", tmp_path / "run.yaml", *given)
    assert said.code == 1
    assert f"where:   granularity, named in {tmp_path / 'run.yaml'}:4 (backbone)" in said.err
