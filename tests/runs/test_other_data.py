"""Messages about other data, without a search."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtlsearch.config import load_run
from mtlsearch.errors import RunError
from mtlsearch.runs._session import require_same_data, warn_of_other_data
from mtlsearch.study import RunDirectory

RUN_FILE = """\
data: {root: DATA, sources: {kind: scenes}, image_size: 32}
tasks: {scene: {kind: classification}}
backbone: {name: test_resnet}
search: {space: tree}
"""


def digest(**changes: object) -> dict[str, dict[str, object]]:
    part = {"images": 4, "names": "n", "labels": "l", "sizes": "s", "label_sizes": "m", **changes}
    return {"train": part, "val": part}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    (tmp_path / "run.yaml").write_text(RUN_FILE.replace("DATA", str(tmp_path / "data")))
    return RunDirectory(tmp_path)


@pytest.mark.parametrize(("root", "option"), [("data", ""), ("moved", " --data-root {root}")])
def test_command_names_another_folder_of_data(run: RunDirectory, root: str, option: str) -> None:
    folder = run.path / root
    with pytest.raises(RunError) as error:
        require_same_data(digest(), digest(sizes="t"), run, folder, selected_by_row=False)
    command = f"`mtlsearch repair {run.path} --accept-data{option.format(root=folder)}`"
    assert command in str(error.value)


def test_other_labels_are_not_offered(run: RunDirectory) -> None:
    other = digest(sizes="t", label_sizes="u")
    with pytest.raises(RunError, match="with other labels") as error:
        require_same_data(digest(), other, run, run.path / "data", selected_by_row=False)
    assert "--accept-data" not in str(error.value)


def test_run_without_trials_is_no_warning(run: RunDirectory) -> None:
    session: Any = SimpleNamespace(config=load_run(run.config).config)
    warnings: list[str] = []
    warn_of_other_data(session, run.path, warnings.append)
    assert warnings == []
