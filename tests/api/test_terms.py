"""Messages in terms of Python."""

from __future__ import annotations

import pytest

from mtlsearch.api._terms import replace_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set --out to another folder", "set `out` to another folder"),
        ("--data-root", "`data_root`"),
        ("set `--device auto` to use CUDA", "set `device='auto'` to use CUDA"),
        ("set `--trial` to a number", "set `trial` to a number"),
        ("run `mtlsearch search RUN --out DIR`", "run `mtlsearch search RUN --out DIR`"),
        ("/data/exp--first/run.yaml", "/data/exp--first/run.yaml"),
        ("/data/--first/run.yaml", "/data/--first/run.yaml"),
        ("a - b -- c, run-file, -3", "a - b -- c, run-file, -3"),
    ],
)
def test_options_become_arguments(text: str, expected: str) -> None:
    assert replace_options(text) == expected
