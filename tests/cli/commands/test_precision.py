"""``export --precision``: metrics before and after, and a limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlsearch.errors import ExportError
from mtlsearch.export._precision import MetricChange, changes_text, require_small_drop
from tests.cli.conftest import SmallSearch
from tests.cli.program import call

pytestmark = pytest.mark.xdist_group("small_search")


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_export_precision_writes_metrics_of_both(
    precision: str, small_search: SmallSearch, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    options = ["--precision", precision, "--max-drop", "1000"]
    result = call("export", small_search.run, "--out", out, *options)
    assert result.returncode == 0, result.stderr
    assert "shapes.mIoU" in result.stderr
    assert "root: " not in result.stderr  # remarks of the converter
    extra = json.loads((out / "bundle.json").read_text())["extra"]["precision"]
    assert extra["name"] == precision
    assert set(extra["validation"]) == {"scene", "shapes"}
    content = (out / "model.onnx").read_bytes()
    assert (b"QuantizeLinear" in content) == (precision == "int8")
    assert len(content) < (out / "weights.safetensors").stat().st_size


@pytest.mark.parametrize("drop", [2.5, float("inf"), float("nan")])
def test_require_small_drop_above_the_limit_raises(drop: float) -> None:
    changes = [
        MetricChange("a", "mAP", 0.8, 0.5, drop, is_limited=True),
        MetricChange("a", "mAP50", 0.8, 0.1, 90, is_limited=False),
    ]
    with pytest.raises(ExportError, match=r"a\.mAP from 0\.8 to 0\.5") as raised:
        require_small_drop(changes, "int8", 2)
    assert "mAP50" not in raised.value.what
    require_small_drop(changes[1:], "int8", 2)


def test_change_of_a_higher_loss_is_named_worse() -> None:
    changes = [
        MetricChange("a", "nll", 0.7615, 0.7693, 1.03, is_limited=False),
        MetricChange("a", "top5", 0.5, 0.6, -20, is_limited=False),
        MetricChange("a", "accuracy", 0.5, 0.5, 0.0, is_limited=True),
    ]
    lines = changes_text(changes, "int8").splitlines()[1:]
    ends = ("1.03 % worse", "20.00 % better", "equal")
    assert all(line.endswith(f"  {end}") for line, end in zip(lines, ends, strict=True))
