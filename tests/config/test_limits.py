"""Tests of resource limits in a run file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.config import Limit, LimitsConfig, load_run, parse_limit, save_resolved
from mtlsearch.errors import ConfigError

RUN = """\
data: {sources: {kind: scenes}}
tasks:
  scene: {kind: classification}
limits:
  params: 1.5x
  flops: %s
  latency_ms: %s
"""


def written(folder: Path, flops: object, latency: object = "null") -> Path:
    file = folder / "run.yaml"
    file.write_text(RUN % (flops, latency))
    return file


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("1.5x", Limit(1.5, "single")),
        ("2 x", Limit(2.0, "single")),
        ("0.8 independent", Limit(0.8, "independent")),
        (".5 hard", Limit(0.5, "hard")),
        ("12M", Limit(12e6)),
        ("1.2 G", Limit(1.2e9)),
        (300_000, Limit(3e5)),
        ("3e5", Limit(3e5)),
        (1.5, Limit(1.5)),
    ],
)
def test_parse_limit_returns_amount_and_reference(value: object, limit: Limit) -> None:
    assert parse_limit(value) == limit


@given(st.floats(1e-3, 1e12), st.sampled_from(["x", " independent", " hard", "k", "M", "G", ""]))
def test_limits_config_round_trips(amount: float, unit: str) -> None:
    config = LimitsConfig(params=f"{amount!r}{unit}")
    assert LimitsConfig.model_validate(config.model_dump()) == config
    assert config.limit_by_key["params"] == parse_limit(f"{amount!r}{unit}")


@pytest.mark.parametrize("value", ["lots", "-1x", "0", "1.5 xs", "12 ms", "true", "[1]", ".inf"])
def test_invalid_limit_error_has_line_and_examples(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="not a valid limit") as caught:
        load_run(written(tmp_path, value))
    assert caught.value.where is not None
    assert "run.yaml:6 (limits.flops)" in caught.value.where
    assert "0.8 independent" in caught.value.what


def test_latency_limit_with_prefix_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a valid limit"):
        load_run(written(tmp_path, "1.2G", "12M"))


def test_save_resolved_keeps_relative_limits(tmp_path: Path) -> None:
    config = load_run(written(tmp_path, "0.8 independent", 12)).config
    save_resolved(config, tmp_path / "saved.yaml")
    assert load_run(tmp_path / "saved.yaml").config == config
    assert config.limits.limit_by_key["latency_ms"] == Limit(12.0)
