"""Importing the package sets how the threads of torch wait, unless the user has."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
CODE = f"""
import json, os, sys
import mtlsearch
print(json.dumps([name for name in sys.modules if name == "torch"]))
print(json.dumps({{name: os.environ[name] for name in {NAMES} if name in os.environ}}))
"""


def waiting_after_import(**variables: str) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if name not in NAMES}
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env=others | variables,
    )
    loaded, waiting = map(json.loads, result.stdout.splitlines())
    assert loaded == []  # OpenMP reads the variables when torch is loaded
    return dict(waiting)


def test_import_without_variables_lets_threads_sleep_soon() -> None:
    waiting = waiting_after_import()
    assert waiting.keys() == {"GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
    assert int(waiting["GOMP_SPINCOUNT"]) < 300_000  # the default of GNU OpenMP


@pytest.mark.parametrize("name", NAMES)
def test_import_with_a_variable_of_the_user_sets_none(name: str) -> None:
    value = "ACTIVE" if name == "OMP_WAIT_POLICY" else "7"
    assert waiting_after_import(**{name: value}) == {name: value}
