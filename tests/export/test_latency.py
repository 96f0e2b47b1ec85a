"""Latency of a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtlsearch.errors import ExportError
from mtlsearch.export import Effort, _latency, _timed_programs, measure_latency, measure_network
from tests.bundle import small
from tests.cli.program import call
from tests.export import networks
from tests.export.conftest import Exported

pytestmark = pytest.mark.xdist_group("exported")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small.write(tmp_path / "bundle")


def test_each_task_and_the_whole_are_measured(bundle: Path) -> None:
    results = measure_latency(bundle, [1, 3], effort=Effort(2))
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
    make = _timed_programs._session

    def recorded(*arguments: object) -> object:
        sessions.append(make(*arguments))  # type: ignore[arg-type]
        return sessions[-1]

    monkeypatch.setattr(_timed_programs, "_session", recorded)
    measure_latency(bundle, [2], effort=Effort(1))
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
    header, first, second, note = result.stdout.splitlines()
    assert "color alone" in header
    assert note.startswith("sum: one network per task")
    assert first.split()[:3] == ["ONNX", "Runtime", "1"]
    assert second.split()[:3] == ["ONNX", "Runtime", "2"]


def test_other_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        measure_latency(tmp_path)


def test_torch_is_measured_beside_the_bundle(exported: Exported) -> None:
    results = measure_latency(
        exported.path, [1, 2], effort=Effort(1), network=exported.network, tasks=exported.tasks
    )
    rows = [(result.runtime, result.batch_size) for result in results]
    assert rows == [("ONNX Runtime", 1), ("torch", 1), ("ONNX Runtime", 2), ("torch", 2)]
    for result in results:
        assert set(result.by_task) == set(exported.tasks)
        assert result.separate > 0 < result.combined


def test_network_and_decoded_bundle_are_measured(exported: Exported, decoded: Path) -> None:
    shape = (3, *networks.SIZE)
    results = measure_network(exported.network, exported.tasks, shape, [1], effort=Effort(1))
    assert [result.runtime for result in results] == ["ONNX Runtime", "torch"]
    (result,) = measure_latency(decoded, [2], effort=Effort(1))
    assert set(result.by_task) == set(exported.tasks)


def test_measurement_ends_in_time(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10**6))  # a second per look at the clock
    monkeypatch.setattr(_latency.time, "perf_counter", lambda: float(next(now)))
    messages: list[str] = []
    effort = Effort(repeats=1000, seconds=40)
    (result,) = measure_latency(bundle, [1, 8], effort=effort, progress=messages.append)
    assert result.batch_size == 1
    assert messages[-1] == "batches of 8 are not measured: they take too long"
    assert next(now) < 60


def test_slow_networks_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(_latency.time, "perf_counter", lambda: clock[0])

    def slow(_: object) -> None:
        clock[0] += 3.0

    messages: list[str] = []
    effort = Effort(repeats=20, seconds=4.0)
    programs = {_latency.ONNX: [slow] * 2}
    (result,) = _latency._measure(programs, ["a"], (3, 2, 2), [1, 8], effort, 0.0, messages.append)
    assert (result.batch_size, result.combined, result.by_task) == (1, 3000, {"a": 3000})
    assert clock[0] == 6.0
    assert messages[1].startswith("batches of 1: each network is slow and was measured once")


@pytest.mark.parametrize(("option", "value"), [("--trial", "3"), ("--data-root", ".")])
def test_option_of_a_run_is_refused_for_a_bundle(bundle: Path, option: str, value: str) -> None:
    result = call("benchmark", bundle, option, value)
    assert result.returncode == 2
    assert "not a run directory" in result.stderr
    assert option in result.stderr


@pytest.mark.parametrize(("slow", "is_busy"), [(10.5, False), (30.0, True)])
def test_measure_of_a_busy_machine_warns(
    slow: float, is_busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [[10.0, slow] * 10, [10.0] * 20]
    monkeypatch.setattr(_latency, "_times", lambda *_: times)
    messages: list[str] = []
    programs = {_latency.ONNX: [lambda _: None] * 2}
    _latency._measure(programs, ["a"], (3, 2, 2), [1], Effort(), 0.0, messages.append)
    assert any("busy" in message for message in messages) == is_busy
