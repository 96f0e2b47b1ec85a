"""Settings and commands of a page."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from mtlsearch.config import RunConfig
from mtlsearch.report.page import NetworkResults, RunContents
from mtlsearch.report.page._facts import commands, data_facts, search_facts


def test_only_ranges_are_shown_as_ranges(contents: RunContents) -> None:
    settings = contents.config.model_dump(mode="json")
    settings["data"]["sources"][0] |= {"classes": ["cat", "dog"]}
    settings["data"]["augment"]["crop"] = [0.5, 1.0]
    settings["search"]["early_stopping"] = {"rungs": [2, 4]}
    shown = replace(contents, config=RunConfig.model_validate(settings))
    facts = dict(data_facts(shown, NetworkResults()))
    assert "classes cat, dog" in facts["source"]
    assert "crop 0.5 to 1.0" in facts["augmentation"]
    assert "rungs 2, 4" in dict(search_facts(shown))["early stopping"]


@pytest.mark.parametrize("name", ["run", "runs/my run; ls", "it's"])
def test_commands_contain_the_path_as_one_argument(contents: RunContents, name: str) -> None:
    for line in commands(replace(contents, path=Path(name)), NetworkResults()):
        assert name in shlex.split(line, comments=True)


@pytest.mark.parametrize(("num_test", "option"), [(0, "--split val"), (7, "")])
def test_evaluate_names_a_split_that_exists(
    contents: RunContents, num_test: int, option: str
) -> None:
    networks = NetworkResults(num_images={"train": 9, "val": 5, "test": num_test})
    (line,) = [line for line in commands(contents, networks) if "evaluate" in line]
    assert line.partition("--trial 5")[2].strip() == option
