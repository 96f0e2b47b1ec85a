"""Latency of a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtlsearch.errors import ExportError
from mtlsearch.export import _latency, measure_latency
from tests.bundle import small
from tests.cli.program import call


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small.write(tmp_path / "bundle")


def test_each_task_and_the_whole_are_measured(bundle: Path) -> None:
    results = measure_latency(bundle, [1, 3], repeats=2)
    assert [result.batch_size for result in results] == [1, 3]
    for result in results:
        assert set(result.by_task) == set(small.manifest().tasks)
        assert all(value > 0 for value in (result.combined, *result.by_task.values()))
        alone = [result.by_task[task] for task in small.manifest().tasks]
        assert result.separate == pytest.approx(sum(alone))


def test_a_task_alone_returns_what_it_returns_in_the_whole(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = []
    make = _latency._session

    def recorded(*arguments: object) -> object:
        sessions.append(make(*arguments))  # type: ignore[arg-type]
        return sessions[-1]

    monkeypatch.setattr(_latency, "_session", recorded)
    measure_latency(bundle, [2], repeats=1)
    whole, *parts = sessions
    images = np.random.default_rng(0).random((2, 3, *small.SIZE), np.float32)
    expected = dict(
        zip([o.name for o in whole.get_outputs()], whole.run(None, {"images": images}), strict=True)
    )
    for part in parts:
        names = [output.name for output in part.get_outputs()]
        assert 0 < len(names) < len(expected)
        for name, value in zip(names, part.run(None, {"images": images}), strict=True):
            np.testing.assert_array_equal(value, expected[name])


def test_command_prints_a_row_per_batch(bundle: Path) -> None:
    result = call("benchmark", bundle, "--batch", "1", "--batch", "2", "--repeats", "1")
    assert result.returncode == 0, result.stderr
    header, first, second = result.stdout.splitlines()
    assert "color alone" in header
    assert first.split()[0] == "1"
    assert second.split()[0] == "2"


def test_other_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        measure_latency(tmp_path)
