"""Tests of the run file template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field

from mtlsearch.config import Part, RunConfig, load_run, run_template
from mtlsearch.plugin import Settings


class Colors(Settings):
    hue: float = Field(0.5, description="hue of the color")
    names: tuple[str, ...] = Field(("a", "b"), description="names of the colors")
    needed: int = Field(description="required number")


TEXT = run_template(
    [Part("some", Colors, {"needed": 3})],
    {"one": Part("any", Settings), "two": Part("any", Colors, {"needed": 4, "hue": 0.1})},
    Part("wide", Settings),
    {"data.image_size": (48, 64), "train.epochs": 2},
)


def test_run_template_loads(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(TEXT)
    config = load_run(file).config
    assert config.data.image_size == (48, 64)
    assert config.train.epochs == 2
    assert config.data.sources[0].settings == {"needed": 3}
    assert config.tasks["two"].settings == {"needed": 4, "hue": 0.1}


def test_run_template_loads_with_all_comments_enabled(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    commented = [
        line.replace("# ", "", 1) if _is_setting(line) else line for line in TEXT.splitlines()
    ]
    file.write_text("\n".join(commented))
    config = load_run(file).config
    assert config.data.sources[0].settings == {"needed": 3, "hue": 0.5, "names": ["a", "b"]}


def _is_setting(line: str) -> bool:
    text = line.strip()
    return text.startswith("# ") and ":" in text.split("  #")[0] and "  # " in text


def test_run_template_contains_every_description() -> None:
    for description in {*_descriptions(RunConfig), *_descriptions(Colors)}:
        assert description in TEXT


def _descriptions(model: type[BaseModel]) -> Iterator[str]:
    for field in model.model_fields.values():
        if field.description:
            yield field.description
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _descriptions(field.annotation)
