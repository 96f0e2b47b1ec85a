"""What `docs/balancing.md` shows works, and what it tells is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mtlsearch.config import SearchConfig
from mtlsearch.registry import HOOKS, build_registry
from mtlsearch.testing import BalancerContract

PAGE = (Path(__file__).parents[2] / "docs" / "balancing.md").read_text()
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NAMES: dict[str, Any] = {}
exec(compile(CODE, "docs/balancing.md", "exec"), NAMES)


class TestWorst(BalancerContract):
    balancer = NAMES["Worst"]


def test_its_hook_exists_and_hands_it_in() -> None:
    assert "mtlsearch_balancers" in HOOKS
    assert NAMES["mtlsearch_balancers"]() == [NAMES["Worst"]]


@pytest.mark.parametrize("line", re.findall(r"^  balance: (.*?)(?:  #.*)?$", PAGE, re.MULTILINE))
def test_its_run_files_name_balancers_that_there_are(line: str) -> None:
    from ruamel.yaml import YAML

    value = YAML(typ="safe", pure=True).load(line)
    config = SearchConfig.model_validate({"balancer": value})
    assert {entry.kind for entry in config.balancers} <= set(build_registry().balancers)
