"""The blocks about evaluators in `docs/python-api.md` run in order and print what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"
BLOCK = re.compile(r"```python\n(.*?)```\n\nIt prints `(.*?)`", re.DOTALL)


def test_blocks_print_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text().partition("\n# Evaluators and tables\n")[2]
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("```python") > 0
    names: dict[str, object] = {}
    for code, printed in blocks:
        exec(compile(code, str(PAGE), "exec"), names)
        assert capsys.readouterr().out.strip() == printed
