"""Searches from Python: the twin of ``mtlsearch search``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import mtlsearch
from mtlsearch.config import load_run
from mtlsearch.errors import ConfigError, MtlsearchError, PluginError, RunError
from mtlsearch.search import FunctionEvaluator
from tests.api.conftest import RUN_FILE, PythonSearch

pytestmark = pytest.mark.xdist_group("python_search")


def test_interrupted_search_is_resumed_by_the_same_call(python_search: PythonSearch) -> None:
    assert "the same call resumes it" in python_search.interruption
    assert python_search.first.state == "complete"
    assert any("resuming: 1 of 3 trials are finished" in line for line in python_search.resumed)
    trials = python_search.run.trials
    first = python_search.first  # not trained again
    assert (trials[0].metrics, trials[0].seconds) == (first.metrics, first.seconds)
    assert [trial.state for trial in trials.values()].count("complete") == 3
    assert trials[1].state == "interrupted"


def test_dictionary_and_file_are_the_same_run_file(
    run: mtlsearch.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # relative paths of both start there
    file = tmp_path / "run.yaml"
    YAML(typ="safe").dump(RUN_FILE, file)
    assert load_run(RUN_FILE).config == load_run(file).config
    assert load_run(run.config).config == run.config


def test_finished_search_returns_at_once(run: mtlsearch.Run, capsys: Any) -> None:
    again = mtlsearch.search(run.config, run.path, trials=2, device="cpu")
    assert again.trials == run.trials
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"run_file": RUN_FILE}, ConfigError, ["`out` is missing", "out='results/first'"]),
        ({"run_file": 3}, ConfigError, ["got int"]),
        ({"run_file": "absent.yaml"}, ConfigError, ["does not exist", "absent.yaml"]),
        (
            {"run_file": RUN_FILE, "overrides": {"train.epoch": 3}},
            ConfigError,
            ["unknown key 'epoch'", "overrides={'train.epoch': 3}"],
        ),
        ({"run_file": RUN_FILE, "overrides": {3: 3}}, ConfigError, ["must be texts, got 3"]),
        ({"run_file": RUN_FILE, "epochs": 0}, ConfigError, ["`train.epochs`", "epochs=0"]),
        ({"run_file": {**RUN_FILE, "model": 1}}, ConfigError, ["unknown key 'model'"]),
        (
            {"run_file": {**RUN_FILE, "tasks": {"a": {"kind": "clasification"}}}},
            PluginError,
            ["clasification", "with `plugins`", "tasks.a.kind"],
        ),
    ],
)
def test_invalid_argument_is_named_in_terms_of_python(
    arguments: dict[str, Any], error: type[MtlsearchError], parts: list[str]
) -> None:
    with pytest.raises(error) as raised:
        mtlsearch.search(**arguments)
    text = str(raised.value)
    assert [part for part in parts if part not in text] == [], text
    assert "--" not in text


def test_other_settings_are_refused_with_the_argument(run: mtlsearch.Run) -> None:
    with pytest.raises(RunError, match=r"other settings: train\.epochs") as raised:
        mtlsearch.search(run.config, run.path, epochs=5, device="cpu")
    assert "set `out` to another folder" in str(raised.value)


def test_package_of_evaluators_is_the_function_too() -> None:
    """``mtlsearch.search`` is a function whatever was imported before."""
    assert callable(mtlsearch.search)
    assert mtlsearch.search.FunctionEvaluator is FunctionEvaluator  # type: ignore[attr-defined]


def test_import_of_the_root_package_is_light() -> None:
    code = (
        "import mtlsearch, sys; mtlsearch.load, mtlsearch.search, mtlsearch.Run, mtlsearch.errors;"
        "print(sorted({'torch', 'pandas', 'numpy', 'optuna'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in shown.stdout
    assert "pandas" not in shown.stdout
