"""Records are values that JSON keeps whole."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.errors import RunError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.results import TaskResult, TrialRecord

CANDIDATE = Candidate(
    SharingPlan.from_splits(["a", "b"], [1], 3), {"b": 0.25, "a": 1.75}, 3e-4, "resnet18"
)


def record(value: float = 0.5) -> TrialRecord:
    specs = (
        Metric("acc", higher_is_better=True, primary=True),
        Metric("delta_m_stderr", higher_is_better=False, high=math.inf),
    )
    result = TaskResult({"acc": value, "delta_m_stderr": 3.0}, specs)
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
        note="batches came in 2 parts",
        val_images=23,
    )


@given(st.floats(allow_nan=False))
def test_strict_json_keeps_a_record_whole(value: float) -> None:
    before = record(value)
    text = json.dumps(before.to_json(), allow_nan=False)
    assert TrialRecord.from_json(json.loads(text)) == before


def test_a_record_from_before_there_were_notes_is_read() -> None:
    older = record().to_json()
    del older["note"]
    assert TrialRecord.from_json(older).note == ""


def test_a_record_from_before_images_were_counted_is_read() -> None:
    older = record().to_json()
    del older["val_images"]
    assert TrialRecord.from_json(older).val_images is None


def test_nan_survives() -> None:
    text = json.dumps(record(math.nan).to_json(), allow_nan=False)
    assert math.isnan(TrialRecord.from_json(json.loads(text)).results["a"].metrics["acc"])


def test_json_says_plan_and_digest_to_people() -> None:
    value = record().to_json()
    assert value["plan"] == str(CANDIDATE.plan)
    assert value["digest"] == CANDIDATE.digest


def test_records_are_frozen_to_the_bottom() -> None:
    metrics = {"acc": 0.5}
    result = TaskResult(metrics, ())
    metrics["acc"] = 0.9
    assert result.metrics["acc"] == 0.5
    with pytest.raises(TypeError):
        record().results["a"].metrics["acc"] = 1.0  # type: ignore[index]
    with pytest.raises(TypeError):
        record().results["c"] = result  # type: ignore[index]


@pytest.mark.parametrize("broken", [{}, {"number": "x"}, {**record().to_json(), "results": [1]}])
def test_another_form_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(RunError, match="record cannot be read"):
        TrialRecord.from_json(broken)


def test_the_floor_imports_neither_torch_nor_pandas() -> None:
    code = "import sys, mtlsearch.results; sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
