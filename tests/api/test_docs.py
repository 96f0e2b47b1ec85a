"""The first part of `docs/python-api.md`: its blocks run in order, and it names all arguments."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

import mtlsearch
from mtlsearch import api
from tests.api.conftest import RUN_FILE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
FIRST_PART = PAGE.partition("\n# Evaluators and tables\n")[0]


@pytest.mark.slow
@pytest.mark.xdist_group("python_search")
def test_blocks_run_in_order(
    run: mtlsearch.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first block finds a finished search."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run.path, tmp_path / "results" / "first")
    data = {**RUN_FILE["data"], "root": str(run.config.data.root)}
    YAML(typ="safe").dump({**RUN_FILE, "data": data}, tmp_path / "run.yaml")
    Image.new("RGB", (50, 40), (90, 120, 60)).save(tmp_path / "photo.jpg")
    blocks = re.findall(r"```python\n(.*?)```", FIRST_PART, re.DOTALL)
    assert len(blocks) == FIRST_PART.count("```python") > 3
    names: dict[str, object] = {}
    for code in blocks:
        exec(compile(code, "docs/python-api.md", "exec"), names)
    assert {"front.png", "drawn.png", "winner"} <= {path.name for path in tmp_path.iterdir()}


def test_first_part_imports_the_python_api_only() -> None:
    imported = re.findall(r"^(?:import|from) (mtlsearch\S*)", FIRST_PART, re.MULTILINE)
    assert set(imported) == {"mtlsearch"}


def test_arguments_of_search_are_documented() -> None:
    names = [name for name in inspect.signature(api.search).parameters if name != "out"]
    assert [name for name in names if f"`{name}`" not in FIRST_PART] == []


def test_methods_of_a_run_are_documented() -> None:
    public = [name for name in vars(mtlsearch.Run) if not name.startswith("_")]
    assert [name for name in public if f"run.{name}" not in FIRST_PART] == []
