"""What a stranger installs: the built wheel, alone, away from the checkout."""

from __future__ import annotations

import csv
import json
import os
import shutil
import site
import subprocess
import sys
import tomllib
import venv
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = {
    "mtlsearch": "mtlsearch",
    "plugins": "mtlsearch_plugins",
    "search_spaces": "mtlsearch_search_spaces",
}
BESIDES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")

# One worker builds it once for all of them.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]

# Of so little training only a mask's score is sure not to be 0, from which nothing is measured.
RUN_FILE = """
data:
  sources: {kind: scenes, train: 8, val: 4, test: 0, size: 32}
  image_size: 32
tasks:
  shapes: {kind: segmentation}
  outline: {kind: segmentation, label: shapes, dice: 0.5}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 8}
search: {space: tree, trials: 3, keep: 1}
"""

WHERE = """
import importlib, json, sys
from importlib.metadata import version
import mtlsearch, mtlsearch_plugins, mtlsearch_search_spaces
from mtlsearch.registry import build_registry
catalog = build_registry()
print(json.dumps({
    "files": [at.__file__ for at in (mtlsearch, mtlsearch_plugins, mtlsearch_search_spaces)],
    "versions": [mtlsearch.__version__, version("mtlsearch")],
    "plugins": [plugin.name for plugin in catalog.plugins],
    "failures": [failure.cause for failure in catalog.failures],
    "origins": [getattr(at, "__file__", "") or "" for at in list(sys.modules.values())],
}))
"""


def project() -> dict[str, object]:
    """The project as pyproject.toml declares it."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared: dict[str, object] = tomllib.loads(text)["project"]
    return declared


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since building leaves files beside the source; without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in SHIPPED:
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=unwanted)
    for name in BESIDES:
        shutil.copy(ROOT / name, folder / "source")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(
        [*build, str(folder / "source")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it, and of this one only what the wheel needs.

    A folder that a ``.pth`` file names is searched for modules, but ``.pth`` files in *it* are
    not read: an editable checkout stays out of sight.
    """
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    flags = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", *flags, str(wheel)]
    subprocess.run(install, capture_output=True, text=True, timeout=300, check=True)
    (packages,) = (folder / "env").glob("lib/python*/site-packages")
    here = (*site.getsitepackages(), site.getusersitepackages())
    (packages / "dependencies.pth").write_text("\n".join(at for at in here if at in sys.path))
    return folder


def ask(clean: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the clean environment from a folder that holds nothing of ours."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(clean / "env" / "bin" / command[0]), *command[1:]],
        capture_output=True, text=True, timeout=300, check=False,
        cwd=clean, env={**kept, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_it_holds_every_module_and_nothing_else(wheel: Path) -> None:
    expected = {
        f"{SHIPPED[name]}/{file.relative_to(ROOT / name)}"
        for name in SHIPPED
        for file in (ROOT / name).rglob("*.py")
    }
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected | {"mtlsearch/py.typed"}


def test_it_says_what_the_project_says(wheel: Path) -> None:
    declared = project()
    with ZipFile(wheel) as archive:
        info = {name.partition(".dist-info/")[2]: name for name in archive.namelist()}
        metadata = message_from_string(archive.read(info["METADATA"]).decode())
        points = archive.read(info["entry_points.txt"]).decode()
        assert archive.read(info["licenses/LICENSE"]) == (ROOT / "LICENSE").read_bytes()
    assert metadata["Name"] == declared["name"]
    assert metadata["Requires-Python"] == declared["requires-python"]
    needed = [at for at in metadata.get_all("Requires-Dist", []) if "extra ==" not in at]
    assert len(needed) == len(declared["dependencies"])  # type: ignore[arg-type]
    for name, module in declared["entry-points"]["mtlsearch"].items():  # type: ignore[index]
        assert f"{name} = {module}" in points
    assert "mtlsearch = mtlsearch.cli:main" in points


def test_every_plugin_of_it_is_found_in_the_clean_environment(clean: Path) -> None:
    done = ask(clean, "python", "-c", WHERE)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    for file in seen["files"]:
        assert Path(file).is_relative_to(clean / "env")
    ours = [ROOT / name for name in SHIPPED]
    seen_there = [at for at in seen["origins"] if any(Path(at).is_relative_to(on) for on in ours)]
    assert seen_there == []
    assert len(set(seen["versions"])) == 1
    assert seen["failures"] == []
    assert set(seen["plugins"]) >= set(project()["entry-points"]["mtlsearch"])  # type: ignore[index]


def test_a_search_runs_there(clean: Path) -> None:
    (clean / "run.yaml").write_text(RUN_FILE)
    searched = ask(clean, "mtlsearch", "search", "run.yaml", "--out", "found")
    assert searched.returncode == 0, searched.stderr
    assert searched.stdout == "found\n"
    listed = ask(clean, "mtlsearch", "leaderboard", "found", "--format", "csv")
    assert listed.returncode == 0, listed.stderr
    rows = list(csv.DictReader(listed.stdout.splitlines()))
    assert sorted(row["trial"] for row in rows) == ["0", "1", "2"]
    assert {row["state"] for row in rows} == {"complete"}
    assert {row["baseline"] for row in rows} >= {"independent", "hard"}
