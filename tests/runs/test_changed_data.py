"""Trials on other data are refused in a run directory that has trials."""

from __future__ import annotations

import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

import mtlsearch
from mtlsearch.config import load_run
from mtlsearch.data import DataDigest
from mtlsearch.study import (
    RunDirectory,
    TrialStore,
    open_run_storage,
    open_store,
    read_records,
    read_stored,
)
from tests.cli.program import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("changed_data")]

RUN_FILE = """\
data:
  sources: {kind: manifest, labels: {kind: {form: category}, weight: {form: number}}}
  image_size: 32
tasks: {kind: {kind: classification}, weight: {kind: regression}}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 4}
search: {space: tree, trials: 1}
"""


def write_data(folder: Path) -> Path:
    lines = ["image,kind,weight,split"]
    for index in range(12):
        Image.effect_noise((32, 32), 10 + 5 * index).save(folder / f"{index}.png")
        lines.append(f"{index}.png,{'ab'[index % 2]},{index},{'train' if index < 8 else 'val'}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "run.yaml").write_text(RUN_FILE)
    return folder / "run.yaml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data that moved to ``moved`` after a search in ``results``."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "data").mkdir()
    file = write_data(folder / "data")
    assert call("search", file, "--out", folder / "results", "--device", "cpu").returncode == 0
    (folder / "data").rename(folder / "moved")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "--split", "val", "--resamples", "0"),
        ("plot", "confusion", "--out", "confusion.png"),
        ("report", "--out", "report.html"),
    ],
    ids=lambda command: command[0],
)
def test_moved_data_are_found(
    finished: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *options = command
    arguments = (name, finished / "results", *options, "--device", "cpu")
    before = call(*arguments)
    assert str(finished / "data") in before.stderr
    for result in (
        call(*arguments, "--data-root", finished / "moved"),
        _with_variable(arguments, finished / "moved", monkeypatch),
    ):
        assert result.returncode == 0, result.stderr
        assert "does not exist" not in result.stderr
        assert "not those of the trials" not in result.stderr


def _with_variable(
    arguments: tuple[str | Path, ...], root: Path, monkeypatch: pytest.MonkeyPatch
) -> CompletedProcess[str]:
    with monkeypatch.context() as patch:
        patch.setenv("MTLSEARCH_DATA_ROOT", str(root))
        return call(*arguments)


def record_other_labels(run: Path) -> None:
    """Write into a study that its images of ``val`` have other labels than they have."""
    folder, config = RunDirectory(run), load_run(run / "run.yaml").config
    store = open_store(folder, config, open_run_storage(folder, config))
    digest = store.data_digest
    assert digest is not None
    store.data_digest = {**digest, "val": {**digest["val"], "labels": "0" * 32}}


def test_results_on_other_data_are_a_warning(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(finished / "results", tmp_path / "run")
    record_other_labels(run)
    line = "val: the same 4 images with other labels"
    for name, *options in (
        ("evaluate", run, "--split", "val", "--resamples", "0"),
        ("plot", run, "confusion", "--out", "confusion.png"),
        ("report", run, "--out", "report.html"),
        ("export", run, "--out", "bundle"),
        ("benchmark", run, "--batch", "1", "--repeats", "1"),
    ):
        result = call(name, *options, "--data-root", finished / "moved")
        assert result.returncode == 0, result.stderr
        assert line in " ".join(result.stderr.split()), name
    with pytest.warns(UserWarning, match=line):
        mtlsearch.load(run, data_root=finished / "moved").network()


def test_results_on_unknown_data_are_a_warning(finished: Path, tmp_path: Path) -> None:
    """A run directory of an earlier version has no digest."""
    run = shutil.copytree(finished / "results", tmp_path / "run")
    folder, config = RunDirectory(run), load_run(run / "run.yaml").config
    store = open_store(folder, config, open_run_storage(folder, config))
    store._storage.set_study_user_attr(store._study_id, "data", None)
    options = ("--split", "val", "--resamples", "0", "--data-root", finished / "moved")
    result = call("evaluate", run, *options)
    assert result.returncode == 0, result.stderr
    assert f"the data of the trials in {run} are unknown" in " ".join(result.stderr.split())


def test_files_of_other_sizes_can_be_accepted(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished / "results", tmp_path / "run")
    data = shutil.copytree(finished / "moved", tmp_path / "data")
    search = ("search", data / "run.yaml", "--out", run, "--data-root", data, "--device", "cpu")
    accept = ("repair", run, "--accept-data", "--data-root", data)
    assert "nothing was changed" in call(*accept).stdout
    with Image.open(data / "3.png") as image:
        image.save(data / "3.png", compress_level=0)
    refused = call(*search)
    assert refused.returncode == 1
    assert "train: the same 8 images and labels, but files of other sizes" in refused.stderr
    assert f"run `mtlsearch repair {run} --accept-data --data-root {data}`" in " ".join(
        refused.stderr.split()
    )
    accepted = call(*accept)
    assert accepted.returncode == 0, accepted.stderr
    assert "files of 12 images recorded" in accepted.stdout
    assert call(*search).returncode == 0
    (data / "manifest.csv").write_text((data / "manifest.csv").read_text().replace(",b,", ",a,"))
    refused = call(*accept)
    assert refused.returncode == 1
    assert "the same 8 images with other labels" in refused.stderr
    assert "--accept-data" not in refused.stderr


def test_comparison_marks_a_run_on_other_data(finished: Path, tmp_path: Path) -> None:
    runs = [finished / "results"]
    for name in ("equal", "other"):
        runs.append(shutil.copytree(runs[0], tmp_path / name))
        file = runs[-1] / "run.yaml"
        file.write_text(file.read_text().replace(str(finished / "data"), str(tmp_path)))
    record_other_labels(runs[-1])
    text = call("compare", *runs).stdout
    assert "the images or labels of `train` and `val` differ" in text
    assert f"{runs[2]} differs from" in text
    assert f"{runs[1]} differs from" not in text


def test_resuming_on_other_data_is_refused(tmp_path: Path) -> None:
    file, run = write_data(tmp_path), tmp_path / "results"
    search = ("search", file, "--out", run, "--device", "cpu")
    assert call(*search).returncode == 0
    table = tmp_path / "manifest.csv"
    rows = table.read_text()
    table.write_text(rows.replace("7.png,b,7,train\n", ""))
    longer = ("train-longer", run, "--trial", "0", "--epochs", "2", "--device", "cpu")
    for command in ((*search, "--trials", "2"), longer):
        refused = call(*command)
        assert refused.returncode == 1
        assert "train: 8 images then, 7 now" in refused.stderr
        assert "--out" in refused.stderr
    config = load_run(run / "run.yaml").config
    assert len(read_records(run, config)) == 1

    table.write_text(rows)
    # A run directory of an earlier version has no digest; the next search records it.
    folder = RunDirectory(run)
    store = open_store(folder, config, open_run_storage(folder, config))
    recorded = store.data_digest
    assert recorded is not None
    store._storage.set_study_user_attr(store._study_id, "data", None)
    assert read_stored(folder, config)[1] is None
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path, moved, ignore=shutil.ignore_patterns("results"))
    elsewhere = (*search, "--trials", "2", "--data-root", moved)
    assert "`data.root` is" in call(*elsewhere).stderr
    adopted = call(*search)
    assert adopted.returncode == 0
    assert "the data of earlier trials are unknown" in adopted.stderr
    assert read_stored(folder, config)[1] == recorded
    assert call(*elsewhere).returncode == 0
    assert read_stored(folder, config)[1] == recorded
    assert len(read_records(run, config)) == 2


def test_only_one_of_two_workers_with_different_data_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, run = write_data(tmp_path), tmp_path / "results"
    record = TrialStore.data_digest.fset
    assert record is not None

    def overwritten(store: TrialStore, digest: DataDigest) -> None:
        """Record a digest, which another worker replaces."""
        record(store, digest)
        record(store, {**digest, "train": {**digest["train"], "images": 3}})

    monkeypatch.setattr(
        TrialStore, "data_digest", property(TrialStore.data_digest.fget, overwritten)
    )
    refused = call("search", file, "--out", run, "--device", "cpu")
    assert refused.returncode == 1
    assert "train: 3 images then, 8 now" in refused.stderr
    assert "trial 0" not in refused.stdout + refused.stderr
