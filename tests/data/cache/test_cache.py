"""Cache of prepared samples: reuse, invalidation, damage, locks and kills."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import mtlsearch.data
from mtlsearch.data import DataModule
from mtlsearch.data.cache import _fingerprint
from mtlsearch.data.cache._array_file import ArrayWriter
from mtlsearch.data.cache._entry import cache_folder
from mtlsearch.data.cache._split_file import CachedSplit
from mtlsearch.errors import DataError, InfrastructureError
from mtlsearch.labels import Boxes, LabelSpec, RawLabel, Sample
from tests.data.fake import LABELS, Fake, config, opened, square
from tests.data.test_data_module import all_same

CROWD: Mapping[str, RawLabel] = {
    "boxes": Boxes(
        np.array([[1, 2, 9, 9], [3, 3, 50, 40]], np.float32),
        np.array([0, 1]),
        np.array([True, False]),
    ),
    "tags": (),
}
TRAIN = [
    square(0),
    replace(square(1), labels={}),
    square(2, **CROWD),
    replace(square(3), labels={"boxes": Boxes.empty(), "kind": 2}),
    square(4),
]
VAL = [square(5), replace(square(6), labels={"depth": square(6).labels["depth"]})]


class FileSource(Fake):
    """Fake source that reads one file per image."""

    def __init__(
        self,
        root: Path,
        train: Sequence[Sample | DataError] = TRAIN,
        labels: Mapping[str, LabelSpec] = LABELS,
    ) -> None:
        super().__init__({"train": train, "val": VAL}, labels)
        self.root = root
        for split in ("train", "val"):
            for index in range(self.size(split)):
                for file in self.files(split, index):
                    if not file.exists():
                        file.write_text("an image")

    def files(self, split: str, index: int) -> Sequence[Path]:
        return [self.root / f"{split}-{index}.jpg"]


def run(source: Fake, cache: Path | None, **keys: object) -> DataModule:
    return opened(source, cache=cache, **keys)


def all_batches(data: DataModule) -> list[object]:
    return [*data.train_batches(0, 2), *data.train_batches(1, 5), *data.eval_batches("val", 2)]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_second_run_reads_nothing_and_gets_same_batches(tmp_path: Path, cache: Path) -> None:
    first, second, memory = FileSource(tmp_path), FileSource(tmp_path), FileSource(tmp_path)
    report = run(first, cache).check()
    data, plain = run(second, cache), run(memory, None)
    seen: list[tuple[int, int]] = []
    assert data.check(lambda done, total: seen.append((done, total))) == report == plain.check()
    assert seen[-1] == (7, 7)
    assert data.labels == plain.labels
    assert all_same(all_batches(data), all_batches(plain))
    assert (first.reads, second.reads, memory.reads) == (7, 0, 7)


def test_run_without_check_uses_entry(tmp_path: Path, cache: Path) -> None:
    """Export opens the data of a run without checking them."""
    run(FileSource(tmp_path), cache).check()
    source = FileSource(tmp_path)
    list(run(source, cache).eval_batches("val", 2))
    assert source.reads == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_give_same_batches(tmp_path: Path, cache: Path, workers: int) -> None:
    data = run(FileSource(tmp_path), cache, num_workers=workers)
    data.check().raise_if_bad()
    plain = run(FileSource(tmp_path), None)
    assert all_same(all_batches(data), all_batches(plain))


def test_changes_of_inputs_invalidate_entry(tmp_path: Path, cache: Path) -> None:
    def reads(source: Fake, **keys: object) -> int:
        run(source, cache, **keys).check()
        return source.reads

    assert reads(FileSource(tmp_path)) == 7
    assert reads(FileSource(tmp_path), image_size=32) == 7
    assert reads(FileSource(tmp_path), sources={"kind": "fake", "scale": 2}) == 7
    assert reads(FileSource(tmp_path), max_images=3) == 3
    renamed = {**LABELS, "kind": replace(LABELS["kind"], classes=("a", "b", "z"))}
    assert reads(FileSource(tmp_path, labels=renamed)) == 7
    (tmp_path / "train-2.jpg").write_text("another image")
    assert reads(FileSource(tmp_path)) == 5
    os.utime(tmp_path / "val-0.jpg", ns=(1, 1))
    assert reads(FileSource(tmp_path)) == 2
    (tmp_path / "val-0.jpg").unlink()
    missing = FileSource(tmp_path)
    (tmp_path / "val-0.jpg").unlink()
    assert reads(missing) == 2
    assert (
        reads(FileSource(tmp_path), augment={"jitter": 0.9, "flip": 0}, num_workers=0, seed=7) == 2
    )


def test_change_of_resizing_code_invalidates_entry(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(mtlsearch.data.__file__).parent
    assert package == _fingerprint._DATA_PACKAGE
    copy = tmp_path / "data"
    shutil.copytree(package, copy)
    monkeypatch.setattr(_fingerprint, "_DATA_PACKAGE", copy)
    for expected_reads in (7, 0):
        source = FileSource(tmp_path)
        run(source, cache).check()
        assert source.reads == expected_reads
    with (copy / "_samples.py").open("a") as file:
        file.write("# resizes in another way")
    source = FileSource(tmp_path)
    run(source, cache).check()
    assert source.reads == 7


def test_source_without_files_stays_in_memory(tmp_path: Path, cache: Path) -> None:
    source = Fake({"train": TRAIN, "val": VAL})
    run(source, cache).check()
    assert not cache.exists()
    run(FileSource(tmp_path), None).check()
    assert not cache.exists()


def test_bad_image_leaves_no_entry(tmp_path: Path, cache: Path) -> None:
    torn = DataError("it is torn", where="row 7")
    bad = [TRAIN[0], torn, TRAIN[2], torn]
    report = run(FileSource(tmp_path, bad), cache).check()
    assert [problem.where for problem in report.problems] == ["row 7", "row 7"]
    assert report.counts["train"]["kind"].present == 2
    entries = [path for path in cache.iterdir() if path.is_dir()]
    assert len(entries) == 1  # the validation split
    fixed = FileSource(tmp_path, TRAIN[:4])
    run(fixed, cache).check().raise_if_bad()
    assert fixed.reads == 4


def test_reread_reports_image_that_became_bad(tmp_path: Path, cache: Path) -> None:
    run(FileSource(tmp_path), cache).check()
    damaged = FileSource(tmp_path, [*TRAIN[:4], DataError("it is torn", where="row 7")])
    data = run(damaged, cache)
    assert data.check().problems == ()
    assert [problem.where for problem in data.check(reread=True).problems] == ["row 7"]
    assert damaged.reads == 7


@pytest.mark.parametrize("workers", [0, 2])
def test_entry_truncated_in_use_raises_and_resumes(
    tmp_path: Path, cache: Path, workers: int
) -> None:
    """A memory map of such a file would end the process by a signal."""
    data = run(FileSource(tmp_path), cache, num_workers=workers)
    data.check()
    for path in cache.rglob("images.npy"):
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
    with pytest.raises(InfrastructureError, match="truncated during the search") as error:
        all_batches(data)
    assert str(error.value.where).endswith("images.npy")
    source = FileSource(tmp_path)
    run(source, cache).check()
    assert source.reads == 7


def test_damaged_entry_is_written_again(tmp_path: Path, cache: Path) -> None:
    run(FileSource(tmp_path), cache).check()
    names = {path.name for path in cache.rglob("*") if path.is_file()}
    assert names > {"images.npy", "dense-3.npy", "dense-4.npy", "labels.npz", "index.json"}
    for path in cache.rglob("*.np[yz]"):
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
    source = FileSource(tmp_path)
    data = run(source, cache)
    data.check()
    assert source.reads == 7
    assert all_same(all_batches(data), all_batches(run(FileSource(tmp_path), None)))


def test_disk_error_has_next_step(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="resized images cannot be stored") as caught:
        run(FileSource(tmp_path), tmp_path / "file").check()
    assert "data.cache" in str(caught.value.next_step)

    def full(self: ArrayWriter, row: torch.Tensor | None) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrayWriter, "add", full)
    with pytest.raises(DataError, match="No space left"):
        run(FileSource(tmp_path), cache).check()
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_cached_split_pickles_without_content(tmp_path: Path, cache: Path) -> None:
    """A worker gets the name of the folder, not its content."""
    run(FileSource(tmp_path), cache).check()
    folders = [path for path in cache.iterdir() if path.is_dir()]
    splits = [CachedSplit(folder, LABELS) for folder in folders]
    assert sorted(map(len, splits)) == [2, 5]
    for split in splits:
        pickled = pickle.dumps(split)
        assert len(pickled) < split.get(0).image.numel() / 2
        assert torch.equal(pickle.loads(pickled).get(1).image, split.get(1).image)


def test_change_of_sample_does_not_reach_files(tmp_path: Path, cache: Path) -> None:
    run(FileSource(tmp_path), cache).check()
    (folder, *_) = [path for path in cache.iterdir() if path.is_dir()]
    before = CachedSplit(folder, LABELS).get(0).image.clone()
    CachedSplit(folder, LABELS).get(0).image.zero_()
    assert torch.equal(CachedSplit(folder, LABELS).get(0).image, before)


def test_cache_folder_comes_from_config_then_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cache_folder(config(cache=None)) is None
    assert cache_folder(config(cache=tmp_path)) == tmp_path
    monkeypatch.setenv("MTLSEARCH_CACHE", str(tmp_path / "own"))
    assert cache_folder(config()) == tmp_path / "own"
    monkeypatch.delenv("MTLSEARCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(config()) == tmp_path / "mtlsearch"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder(config()) == tmp_path / ".cache" / "mtlsearch"


fork = multiprocessing.get_context("fork")


def kill_at_fourth_image(root: Path, cache: Path) -> None:
    def kill(done: int, total: int) -> None:
        if done == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    run(FileSource(root), cache).check(kill)


def test_killed_process_does_not_block_next_run(tmp_path: Path, cache: Path) -> None:
    process = fork.Process(target=kill_at_fourth_image, args=(tmp_path, cache))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert [path for path in cache.iterdir() if path.suffix == ".partial"]
    source = FileSource(tmp_path)
    data = run(source, cache)
    data.check().raise_if_bad()
    assert source.reads == 7
    assert not [path for path in cache.iterdir() if path.suffix == ".partial"]
    assert all_same(all_batches(data), all_batches(run(FileSource(tmp_path), None)))


def fill(root: Path, cache: Path, barrier: object, reads: object) -> None:
    source = FileSource(root)
    barrier.wait()  # type: ignore[attr-defined]
    data = run(source, cache)
    data.check().raise_if_bad()
    assert len(all_batches(data)) == 4
    with reads.get_lock():  # type: ignore[attr-defined]
        reads.value += source.reads  # type: ignore[attr-defined]


def test_concurrent_processes_read_images_once(tmp_path: Path, cache: Path) -> None:
    FileSource(tmp_path)
    barrier, reads = fork.Barrier(3), fork.Value("i", 0)
    processes = [
        fork.Process(target=fill, args=(tmp_path, cache, barrier, reads)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert reads.value == 7
