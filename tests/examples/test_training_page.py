"""The balancer and the run files in `docs/training.md` work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mtlsearch.config import SearchConfig
from mtlsearch.registry import HOOKS, build_registry
from mtlsearch.testing import BalancerContract

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NAMES: dict[str, Any] = {}
exec(compile(CODE, "docs/training.md", "exec"), NAMES)
BALANCER_LINES = re.findall(r"^  balancer: (.*?)(?:  #.*)?$", PAGE, re.MULTILINE)


class TestWorst(BalancerContract):
    balancer = NAMES["Worst"]


def test_hook_exists_and_registers_the_balancer() -> None:
    assert "mtlsearch_balancers" in HOOKS
    assert NAMES["mtlsearch_balancers"]() == [NAMES["Worst"]]


def test_page_shows_balancers_in_run_files() -> None:
    assert len(BALANCER_LINES) == 2


@pytest.mark.parametrize("line", BALANCER_LINES)
def test_run_file_names_existing_balancers(line: str) -> None:
    value = YAML(typ="safe", pure=True).load(line)
    config = SearchConfig.model_validate({"balancer": value})
    assert {entry.kind for entry in config.balancers} <= set(build_registry().balancers)
