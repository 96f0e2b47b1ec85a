"""Tables on a terminal: wrapped between words, and no word or number is cut."""

from __future__ import annotations

import sys

import pytest

from mtlsearch.cli._console import Console

PLANS = ("objects+shapes | scene @1, objects | shapes @3", "objects+shapes | scene @1")
ROWS = [(plan, f"{number}.250 M (65% of independent)") for number, plan in enumerate(PLANS)]


@pytest.mark.parametrize("width", [20, 60, 80, 120])
def test_table_on_a_terminal_keeps_every_word(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    Console().table(("plan", "parameters"), ROWS)
    text = capsys.readouterr().out
    printed = text.split()
    for row in ROWS:
        for word in " ".join(row).split():
            assert word in printed
    assert "…" not in text
    if width >= 60:
        assert max(map(len, text.splitlines())) <= width
