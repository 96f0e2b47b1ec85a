"""The program of a bundle runs without mtlsearch and predicts what ``mtlsearch predict`` does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtlsearch.bundle import MODULES, RUNNER
from tests.cli.program import call

IMPORTED = """
import runpy, sys
sys.argv = [sys.argv[1], *sys.argv[2:]]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    pass
modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "mtlsearch"]
print("\\n".join(module.__file__ for module in modules), file=sys.stderr)
print(*sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""

pytestmark = pytest.mark.xdist_group("exported")

ENVIRONMENTS = {
    "newest": ("numpy", "pillow", "onnxruntime"),
    # The builds of onnxruntime 1.18 need numpy 1 and end with Python 3.12.
    "oldest": ("numpy<2", "pillow", "onnxruntime==1.18.*"),
}


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """Write pictures of two modes and one file that is none; return their names."""
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 256, (50, 80, 3), np.uint8)).save(tmp_path / "a.jpg")
    Image.fromarray(generator.integers(0, 65536, (33, 20), np.uint16)).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_text("not an image")
    return ["a.jpg", "b.png", "c.png"]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if "PYTHON" not in key}
    return subprocess.run(
        list(map(str, command)),
        capture_output=True, text=True, timeout=300, check=False, cwd=cwd, env=environment,
    )  # fmt: skip


def require_equal_outputs(python: Path, bundle: Path, images: list[str], folder: Path) -> None:
    """Check that the program writes the JSON and the files of ``mtlsearch predict``."""
    result = run(python, bundle / RUNNER, *images, "--out", "pictures", cwd=folder)
    assert result.returncode == 1, result.stderr
    assert "c.png" in result.stderr
    written = {path.name: path.read_bytes() for path in (folder / "pictures").glob("[!.]*")}
    (folder / "pictures").rename(folder / "of-the-program")
    expected = call("predict", bundle, *images, "--out", "pictures")
    assert json.loads(result.stdout) == json.loads(expected.stdout)
    assert set(written) == {"a.png", "a.outline.png", "b.png", "b.outline.png"}
    for name, content in written.items():
        assert (folder / "pictures" / name).read_bytes() == content


def test_program_predicts_what_mtlsearch_predicts(exported, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    require_equal_outputs(Path(sys.executable), exported.path, images, tmp_path)


def test_program_imports_its_own_modules_only(exported, images, tmp_path):
    result = run(sys.executable, "-c", IMPORTED, exported.path / RUNNER, images[0], cwd=tmp_path)
    *files, names = result.stderr.splitlines()
    assert len(files) > 10
    assert all(file.startswith(str(exported.path / MODULES)) for file in files)
    assert {"numpy", "PIL", "onnxruntime"} <= set(names.split())
    assert not {"torch", "pydantic", "typer", "rich", "yaml"} & set(names.split())


def test_program_replaces_no_image(exported, images, tmp_path):
    before = (tmp_path / "b.png").read_bytes()
    result = run(sys.executable, exported.path / RUNNER, "b.png", "--out", ".", cwd=tmp_path)
    assert result.returncode == 2
    assert "an input of this command" in result.stderr
    assert (tmp_path / "b.png").read_bytes() == before


def test_archive_of_modules_is_reproducible(exported):
    with zipfile.ZipFile(exported.path / MODULES) as archive:
        names = archive.namelist()
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert "mtlsearch/bundle/__init__.py" in names
    assert not any(name.startswith(("mtlsearch/export", "mtlsearch/plugin")) for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("versions", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_program_runs_in_a_clean_environment(versions, exported, images, tmp_path, monkeypatch):
    if "onnxruntime==1.18.*" in versions and sys.version_info >= (3, 13):
        pytest.skip("onnxruntime 1.18 has no build for this version of Python")
    monkeypatch.chdir(tmp_path)
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    installed = run(python, "-m", "pip", "install", "--quiet", *versions, cwd=tmp_path)
    if installed.returncode:
        pytest.skip(f"pip cannot install {' '.join(versions)}: {installed.stderr}")
    require_equal_outputs(python, exported.path, images, tmp_path)


def boxes_of(document: str, task: str = "boxes") -> list[list[dict[str, object]]]:
    return [entry["tasks"][task]["boxes"] for entry in json.loads(document)["images"]]


def test_program_takes_a_folder_and_thresholds(exported, tmp_path):
    generator = np.random.default_rng(0)
    frames = tmp_path / "frames"
    frames.mkdir()
    for name in ("frame10.png", "frame2.png", ".hidden.png", "notes.txt"):
        pixels = generator.integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(frames / name, "PNG")
    every = json.loads(call("predict", exported.path, frames).stdout)
    names = [Path(entry["image"]).name for entry in every["images"]]
    assert names == ["frame2.png", "frame10.png"]
    classes = ["--classes", "dog", "--classes", "hare"]
    options = [str(frames), "--conf", "0.35", "--iou", "0.9", *classes]
    expected = call("predict", exported.path, *options)
    assert expected.returncode == 0, expected.stderr
    result = run(sys.executable, exported.path / RUNNER, *options, cwd=tmp_path)
    assert json.loads(result.stdout) == json.loads(expected.stdout)
    selected = [box for boxes in boxes_of(result.stdout) for box in boxes]
    assert {box["class"] for box in selected} == {"dog", "hare"}
    assert min(box["score"] for box in selected) >= 0.35
    few = boxes_of(call("predict", exported.path, *options[:3], "--iou", "0").stdout)
    many = boxes_of(call("predict", exported.path, *options[:3], "--iou", "1").stdout)
    assert sum(map(len, few)) < sum(map(len, many))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--conf", "1.5"], "must be a number from 0 to 1, got 1.5"),
        (["--iou", "nan"], "must be a number from 0 to 1, got nan"),
        (["--classes", "dgo"], "unknown class 'dgo'"),
    ],
)
def test_predict_refuses_an_invalid_selection(options, message, exported, images, tmp_path):
    for result in (
        call("predict", exported.path, tmp_path / images[0], *options),
        run(sys.executable, exported.path / RUNNER, images[0], *options, cwd=tmp_path),
    ):
        assert result.returncode == 2
        assert message in result.stderr


def test_predict_refuses_a_folder_without_images(exported, tmp_path):
    (tmp_path / "empty").mkdir()
    result = call("predict", exported.path, tmp_path / "empty")
    assert result.returncode == 2
    assert "the folder contains no images" in result.stderr
