"""Tests of trial records: JSON round trip and immutability."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.errors import RunError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.results import Latency, TaskResult, TrialRecord

CANDIDATE = Candidate(
    SharingPlan.from_splits(["a", "b"], [1], 3), {"b": 0.25, "a": 1.75}, 3e-4, "resnet18"
)


def record(value: float = 0.5) -> TrialRecord:
    specs = (
        Metric("acc", higher_is_better=True, primary=True),
        Metric("delta_m_stderr", higher_is_better=False, high=math.inf),
    )
    result = TaskResult({"acc": value, "delta_m_stderr": 3.0}, specs, num_images=21)
    return TrialRecord(
        number=4,
        state="complete",
        baseline=None,
        candidate=CANDIDATE,
        parameters=10**7,
        flops=10**12,
        results={"b": result, "a": result},
        epochs=5,
        seconds=1.25,
        note="2 micro batches per batch",
        val_images=23,
    )


@given(st.floats(allow_nan=False))
def test_record_round_trips_through_strict_json(value: float) -> None:
    original = record(value)
    text = json.dumps(original.to_json(), allow_nan=False)
    assert TrialRecord.from_json(json.loads(text)) == original


def test_record_without_note_is_read() -> None:
    older = record().to_json()
    del older["note"]
    assert TrialRecord.from_json(older).note == ""


def test_record_without_val_images_is_read() -> None:
    older = record().to_json()
    del older["val_images"]
    assert TrialRecord.from_json(older).val_images is None


def test_result_without_num_images_is_read() -> None:
    older = record().to_json()
    for result in older["results"].values():
        del result["num_images"]
    assert TrialRecord.from_json(older).results["a"].num_images is None


def test_nan_round_trips_through_strict_json() -> None:
    text = json.dumps(record(math.nan).to_json(), allow_nan=False)
    assert math.isnan(TrialRecord.from_json(json.loads(text)).results["a"].metrics["acc"])


def test_json_contains_plan_text_and_digest() -> None:
    value = record().to_json()
    assert value["plan"] == str(CANDIDATE.plan)
    assert value["digest"] == CANDIDATE.digest


def test_records_are_frozen_deeply() -> None:
    metrics = {"acc": 0.5}
    result = TaskResult(metrics, ())
    metrics["acc"] = 0.9
    assert result.metrics["acc"] == 0.5
    with pytest.raises(TypeError):
        record().results["a"].metrics["acc"] = 1.0  # type: ignore[index]
    with pytest.raises(TypeError):
        record().results["c"] = result  # type: ignore[index]


@pytest.mark.parametrize("broken", [{}, {"number": "x"}, {**record().to_json(), "results": [1]}])
def test_invalid_json_raises_run_error(broken: dict[str, object]) -> None:
    with pytest.raises(RunError, match="record cannot be read"):
        TrialRecord.from_json(broken)


def test_results_import_neither_torch_nor_pandas() -> None:
    code = "import sys, mtlsearch.results; sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rungs_latency_and_infinite_bounds_round_trip() -> None:
    original = record()
    results = original.results
    original = replace(
        original, rung_results={8: results, 2: results}, latency=Latency(1.5, 32, 20.0)
    )
    restored = TrialRecord.from_json(json.loads(json.dumps(original.to_json(), allow_nan=False)))
    assert restored == original
    assert list(restored.rung_results) == [2, 8]
    assert restored.results["a"].specs[1].high == math.inf
    with pytest.raises(TypeError):
        restored.rung_results[2]["a"] = results["a"]  # type: ignore[index]


@pytest.mark.parametrize("change", [{"state": "stopped"}, {"baseline": "soft"}, {"epochs": 1.5}])
def test_record_with_invalid_value_names_the_key(change: dict[str, object]) -> None:
    with pytest.raises(RunError, match=next(iter(change))):
        TrialRecord.from_json({**record().to_json(), **change})


def test_results_per_class_round_trip_through_strict_json() -> None:
    original = record()
    per_class = {"IoU": {"ring": 0.0, "disc": 0.5, "star": math.nan}, "F1": {"ring": 0.25}}
    result = replace(original.results["a"], per_class=per_class)
    original = replace(original, results={"a": result})
    read = TrialRecord.from_json(json.loads(json.dumps(original.to_json(), allow_nan=False)))
    assert read == original
    assert list(read.results["a"].per_class) == ["IoU", "F1"]
    assert list(read.results["a"].per_class["IoU"]) == ["ring", "disc", "star"]
    assert read.results["a"].zero_classes == ("ring",)


def test_record_without_results_per_class_is_read() -> None:
    older = record().to_json()
    for result in older["results"].values():
        del result["per_class"]
    read = TrialRecord.from_json(older)
    assert read == record()
    assert read.results["a"].zero_classes == ()


def test_zero_of_a_lower_is_better_metric_is_not_marked() -> None:
    specs = (Metric("error", higher_is_better=False, primary=True),)
    result = TaskResult({"error": 0.5}, specs, {"error": {"ring": 0.0}})
    assert result.zero_classes == ()
