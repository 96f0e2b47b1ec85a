"""Task affinity as a value and on disk."""

from __future__ import annotations

import csv
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from mtlsearch.affinity import Affinity, read_affinity, write_affinity
from mtlsearch.errors import RunError
from tests.affinity.matrices import affinity, symmetric


def partial_affinity() -> Affinity:
    """Return an affinity in which some values are missing."""
    lookahead = np.array([[0.05, np.nan], [-0.01, 0.04]])
    similarity = [{("a", "b"): 0.9}, {("a", "b"): np.nan}]
    return affinity("ab", similarity=similarity, lookahead=lookahead)


def test_written_affinity_reads_back(tmp_path: Path) -> None:
    written = partial_affinity()
    write_affinity(written, tmp_path / "affinity")
    for path in (tmp_path / "affinity", tmp_path / "affinity" / "affinity.json"):
        read = read_affinity(path)
        for field in fields(Affinity):
            np.testing.assert_array_equal(getattr(read, field.name), getattr(written, field.name))
            assert type(getattr(read, field.name)) is type(getattr(written, field.name))


def test_json_has_no_nan_and_has_a_recommendation(tmp_path: Path) -> None:
    write_affinity(partial_affinity(), tmp_path)
    text = (tmp_path / "affinity.json").read_text()
    assert "NaN" not in text
    assert set(json.loads(text)["recommendation"]) == {"plans", "groups", "leave_out"}


def test_table_has_one_row_per_number(tmp_path: Path) -> None:
    write_affinity(partial_affinity(), tmp_path)
    with (tmp_path / "affinity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 4 + 4
    keys = {(row["measure"], row["unit"], row["from"], row["to"]) for row in rows}
    assert len(keys) == len(rows)
    lookahead = {(row["from"], row["to"]): row for row in rows if row["measure"] == "lookahead"}
    row = lookahead["b", "a"]
    assert (float(row["value"]), float(row["error"]), row["unit"]) == (-0.01, 1e-4, "")
    assert lookahead["a", "b"]["value"] == ""


def test_matrices_are_read_only_copies() -> None:
    matrix = symmetric("ab", {("a", "b"): 0.5})
    measured = affinity("ab", similarity=np.stack([matrix]))
    matrix[0, 1] = 7.0
    assert measured.representations[0, 0, 1] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        measured.representations[0, 0, 1] = 7.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the task affinity does not exist"),
        ("{", "cannot read the task affinity: not JSON"),
        ("{}", "cannot read the task affinity: not a task affinity"),
        (
            json.dumps({**partial_affinity().to_json(), "lookahead": [[1.0]]}),
            "`lookahead` must have the shape",
        ),
        (json.dumps({**partial_affinity().to_json(), "steps": None}), "not a task affinity"),
    ],
)
def test_invalid_file_raises_with_a_fix(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "affinity.json").write_text(text)
    with pytest.raises(RunError, match=message) as error:
        read_affinity(tmp_path)
    assert "mtlsearch affinity" in str(error.value)
    assert str(tmp_path / "affinity.json") in str(error.value)
