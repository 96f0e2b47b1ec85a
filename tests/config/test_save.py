"""Tests of saved run files and of their differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.config import RunConfig, difference, load_run, save_resolved

BASE: dict[str, Any] = {
    "data": {"root": "/photos", "sources": [{"kind": "some"}]},
    "tasks": {"one": {"kind": "any"}},
}

# YAML cannot contain control characters and lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SETTINGS = st.dictionaries(st.from_regex(r"[a-z]{3,8}", fullmatch=True), VALUES, max_size=3).map(
    lambda extras: {key: value for key, value in extras.items() if key not in ("kind", "label")}
)


@settings(deadline=None, max_examples=40)
@given(
    extras=SETTINGS,
    seed=st.integers(0, 2**40),
    rate=st.floats(1e-12, 1e3),
    weights=st.sampled_from(["equal", "search", {"one": 0.25}]),
    name=st.sampled_from(["resnet18", ("resnet18", "convnext_atto")]),
    storage=st.none() | TEXT,
)
def test_save_resolved_loads_equal(
    tmp_path_factory: Any,
    extras: dict[str, Any],
    seed: int,
    rate: float,
    weights: Any,
    name: Any,
    storage: str | None,
) -> None:
    config = RunConfig.model_validate(
        {
            **BASE,
            "seed": seed,
            "tasks": {"one": {**extras, "kind": "any"}},
            "backbone": {"name": name},
            "train": {"learning_rate": rate},
            "search": {"loss_weights": weights, "storage": storage},
        }
    )
    file = tmp_path_factory.mktemp("run") / "run.yaml"
    save_resolved(config, file)
    loaded = load_run(file).config
    assert loaded == config
    assert difference(loaded, config) == []


def test_save_resolved_leaves_only_the_file(tmp_path: Path) -> None:
    save_resolved(RunConfig.model_validate(BASE), tmp_path / "run.yaml")
    assert [file.name for file in tmp_path.iterdir()] == ["run.yaml"]


def test_difference_returns_sorted_keys() -> None:
    config = RunConfig.model_validate(BASE)
    other = RunConfig.model_validate(
        {
            **BASE,
            "tasks": {"one": {"kind": "any", "gamma": 2}, "two": {"kind": "any"}},
            "train": {"epochs": 11},
            "data": {"root": "/photos", "sources": [{"kind": "other"}], "image_size": 64},
            "backbone": {"name": ["a", "b"]},
        }
    )
    expected = [
        "backbone.name",
        "data.image_size.0",
        "data.image_size.1",
        "data.sources.0.kind",
        "tasks.one.gamma",
        "tasks.two",
        "train.epochs",
    ]
    assert difference(config, other) == expected
    assert difference(other, config) == expected
    assert difference(config, config) == []
