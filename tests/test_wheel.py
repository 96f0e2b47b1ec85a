"""The built wheel, installed in a clean environment outside the checkout."""

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
PROJECT_FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")

# One worker builds it once for all of them.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]

# After so little training, only the score of a mask is certain to be above 0.
RUN_FILE = """
data:
  sources: {kind: scenes, train: 8, val: 4, test: 0, image_size: 32}
  image_size: 32
tasks:
  shapes: {kind: segmentation}
  outline: {kind: segmentation, label: shapes, dice: 0.5}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 8}
search: {space: tree, trials: 3, keep_weights: 1}
"""

PROBE = """
import importlib, json, sys
from importlib.metadata import version
import mtlsearch, mtlsearch_plugins, mtlsearch_search_spaces
from mtlsearch.registry import build_registry
registry = build_registry()
shipped = (mtlsearch, mtlsearch_plugins, mtlsearch_search_spaces)
print(json.dumps({
    "files": [module.__file__ for module in shipped],
    "versions": [mtlsearch.__version__, version("mtlsearch")],
    "plugins": [plugin.name for plugin in registry.plugins],
    "failures": [failure.cause for failure in registry.failures],
    "origins": [getattr(module, "__file__", "") or "" for module in [*sys.modules.values()]],
}))
"""


def project() -> dict[str, object]:
    """Return the project table of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared: dict[str, object] = tomllib.loads(text)["project"]
    return declared


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, because a build writes files next to the source."""
    folder = tmp_path_factory.mktemp("wheel")
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in SHIPPED:
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=unwanted)
    for name in PROJECT_FILES:
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
    """Create an environment with the wheel and the dependencies of this environment.

    Python searches a folder that a ``.pth`` file names, but does not read ``.pth`` files in it,
    so that the editable checkout cannot be imported.
    """
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    flags = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", *flags, str(wheel)]
    subprocess.run(install, capture_output=True, text=True, timeout=300, check=True)
    (packages,) = (folder / "env").glob("lib/python*/site-packages")
    here = (*site.getsitepackages(), site.getusersitepackages())
    (packages / "dependencies.pth").write_text("\n".join(path for path in here if path in sys.path))
    return folder


def run(clean: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the clean environment, outside the checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(clean / "env" / "bin" / command[0]), *command[1:]],
        capture_output=True, text=True, timeout=300, check=False,
        cwd=clean, env={**kept, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_wheel_contains_every_module_and_nothing_else(wheel: Path) -> None:
    expected = {
        f"{SHIPPED[name]}/{file.relative_to(ROOT / name)}"
        for name in SHIPPED
        for suffix in ("*.py", "page.*", "*.j2")  # pages have a template, style sheet and script
        for file in (ROOT / name).rglob(suffix)
    }
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == expected | {"mtlsearch/py.typed"}


def test_wheel_metadata_equals_the_project_table(wheel: Path) -> None:
    declared = project()
    with ZipFile(wheel) as archive:
        info = {name.partition(".dist-info/")[2]: name for name in archive.namelist()}
        metadata = message_from_string(archive.read(info["METADATA"]).decode())
        points = archive.read(info["entry_points.txt"]).decode()
        assert archive.read(info["licenses/LICENSE"]) == (ROOT / "LICENSE").read_bytes()
    assert metadata["Name"] == declared["name"]
    assert metadata["Requires-Python"] == declared["requires-python"]
    requirements = metadata.get_all("Requires-Dist", [])
    required = [name for name in requirements if "extra ==" not in name]
    assert len(required) == len(declared["dependencies"])  # type: ignore[arg-type]
    for name, module in declared["entry-points"]["mtlsearch"].items():  # type: ignore[index]
        assert f"{name} = {module}" in points
    assert "mtlsearch = mtlsearch.cli:main" in points


def test_wheel_plugins_load_in_a_clean_environment(clean: Path) -> None:
    process = run(clean, "python", "-c", PROBE)
    assert process.returncode == 0, process.stderr
    report = json.loads(process.stdout)
    for file in report["files"]:
        assert Path(file).is_relative_to(clean / "env")
    checkout = [ROOT / name for name in SHIPPED]
    assert not any(
        Path(origin).is_relative_to(folder) for origin in report["origins"] for folder in checkout
    )
    assert len(set(report["versions"])) == 1
    assert report["failures"] == []
    assert set(report["plugins"]) >= set(project()["entry-points"]["mtlsearch"])  # type: ignore[index]


def test_search_runs_in_a_clean_environment(clean: Path) -> None:
    (clean / "run.yaml").write_text(RUN_FILE)
    searched = run(clean, "mtlsearch", "search", "run.yaml", "--out", "run")
    assert searched.returncode == 0, searched.stderr
    assert searched.stdout == "run\n"
    listed = run(clean, "mtlsearch", "leaderboard", "run", "--format", "csv")
    assert listed.returncode == 0, listed.stderr
    rows = list(csv.DictReader(listed.stdout.splitlines()))
    assert sorted(row["trial"] for row in rows) == ["0", "1", "2"]
    assert {row["state"] for row in rows} == {"complete"}
    assert {row["baseline"] for row in rows} >= {"independent", "hard"}
