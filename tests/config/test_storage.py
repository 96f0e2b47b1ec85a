"""Tests that no storage password is written to a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL, make_url

from mtlsearch.config import (
    STORAGE_PASSWORD,
    RunConfig,
    difference,
    hide_password,
    is_hidden,
    load_run,
    save_resolved,
)

RUN = """\
data: {{sources: {{kind: some}}}}
tasks: {{one: {{kind: any}}}}
search: {{storage: "{url}"}}
"""
PLACES = [
    "postgresql://me:{}@host:5432/db",
    "mysql+pymysql://me:{}@host/db?charset=utf8",
    "postgresql:///db?user=me&password={}",
    "mysql://host/db?passwd={}",
]


def config_of(folder: Path, url: str, **env: str) -> RunConfig:
    file = folder / "given.yaml"
    file.write_text(RUN.format(url=url))
    return load_run(file, env=env).config


@pytest.mark.parametrize("place", PLACES)
def test_save_resolved_hides_the_password(tmp_path: Path, place: str) -> None:
    given = config_of(tmp_path, place.format("secret"))
    saved = tmp_path / "run.yaml"
    save_resolved(given, saved)
    assert "secret" not in saved.read_text()
    assert "***" in saved.read_text()
    hidden = load_run(saved).config
    assert is_hidden(hidden.search.storage)
    assert difference(hidden, given) == difference(given, hidden) == []
    env = {STORAGE_PASSWORD: "secret"}
    assert make_url(load_run(saved, env=env).config.search.storage) == make_url(
        given.search.storage
    )


@settings(deadline=None)
@given(password=st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), min_size=1))
def test_hidden_password_is_filled_from_the_environment(
    tmp_path_factory: pytest.TempPathFactory, password: str
) -> None:
    folder = tmp_path_factory.mktemp("run")
    url = URL.create("postgresql", "me", password, "host", database="db")
    shown = hide_password(url.render_as_string(hide_password=False))
    assert shown == "postgresql://me:***@host/db"
    filled = config_of(folder, shown, **{STORAGE_PASSWORD: password})
    assert make_url(filled.search.storage) == url


def test_environment_password_fills_only_a_missing_one(tmp_path: Path) -> None:
    env = {STORAGE_PASSWORD: "new"}
    for url, expected in [
        ("postgresql://me@host/db", "postgresql://me:new@host/db"),
        ("postgresql://me:own@host/db", "postgresql://me:own@host/db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("sqlite:///study.db", "sqlite:///study.db"),
    ]:
        assert config_of(tmp_path, url, **env).search.storage == expected


def test_difference_ignores_passwords_but_not_users(tmp_path: Path) -> None:
    first = config_of(tmp_path, "postgresql://me:old@host/db")
    for url in ("postgresql://me:new@host/db", "postgresql://me@host/db"):
        assert difference(first, config_of(tmp_path, url)) == []
    for url in ("postgresql://you:old@host/db", "postgresql://me:old@host/other"):
        assert difference(first, config_of(tmp_path, url)) == ["search.storage"]


@pytest.mark.parametrize("text", ["study.db", "sqlite:///study.db", "a@b", "x://a:b@c:no/d", "?"])
def test_hide_password_keeps_urls_without_password(text: str) -> None:
    assert hide_password(text) == text
    assert not is_hidden(text)
