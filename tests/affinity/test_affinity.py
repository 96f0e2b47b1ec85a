"""Affinity as a value, and on disk."""

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


def some() -> Affinity:
    gains = np.array([[0.05, np.nan], [-0.01, 0.04]])
    return affinity("ab", alike=[{("a", "b"): 0.9}, {("a", "b"): np.nan}], gains=gains)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = some()
    write_affinity(written, tmp_path / "there")
    for place in (tmp_path / "there", tmp_path / "there" / "affinity.json"):
        found = read_affinity(place)
        for field in fields(Affinity):
            np.testing.assert_array_equal(getattr(found, field.name), getattr(written, field.name))


def test_the_json_holds_no_nan_and_the_suggestions(tmp_path: Path) -> None:
    write_affinity(some(), tmp_path)
    text = (tmp_path / "affinity.json").read_text()
    assert "NaN" not in text
    assert set(json.loads(text)["recommendation"]) == {"plans", "groups", "leave_out"}


def test_the_table_has_every_number_once(tmp_path: Path) -> None:
    write_affinity(some(), tmp_path)
    with (tmp_path / "affinity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 4 + 4
    assert len({(at["measure"], at["unit"], at["from"], at["to"]) for at in rows}) == len(rows)
    (row,) = [at for at in rows if (at["measure"], at["from"], at["to"]) == ("lookahead", "b", "a")]
    assert (float(row["value"]), float(row["error"]), row["unit"]) == (-0.01, 1e-4, "")
    (unknown,) = [
        at for at in rows if at["measure"] == "lookahead" and (at["from"], at["to"]) == ("a", "b")
    ]
    assert unknown["value"] == ""


def test_a_value_stays_as_it_is() -> None:
    given = symmetric("ab", {("a", "b"): 0.5})
    found = affinity("ab", alike=np.stack([given]))
    given[0, 1] = 7.0
    assert found.representations[0, 0, 1] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        found.representations[0, 0, 1] = 7.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no task affinity"),
        ("{", "cannot be read: no JSON"),
        ("{}", "cannot be read: no task affinity"),
        (json.dumps({**some().to_json(), "lookahead": [[1.0]]}), "lookahead has the shape"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "affinity.json").write_text(text)
    with pytest.raises(RunError, match=said) as error:
        read_affinity(tmp_path)
    assert "mtlsearch affinity" in str(error.value)
    assert str(tmp_path / "affinity.json") in str(error.value)
