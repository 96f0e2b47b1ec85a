"""Without a network pretrained weights are refused at once; an answer is the hub's own word."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mtlsearch.errors import BackboneError
from mtlsearch.models import cut_backbone
from mtlsearch.models.loading import _hub as hub

SIZE = (64, 64)


@pytest.fixture(autouse=True)
def nothing_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "PAUSE", 0.0)


def answered_by(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = "huggingface_hub.constants"
    monkeypatch.setattr(f"{constants}.ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    with socket.socket() as taken:  # a port that nobody listens at
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    answered_by(address, monkeypatch)
    return address


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A hub that has nothing, and what it was asked for."""
    paths: list[str] = []

    class Empty(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        answered_by(f"http://127.0.0.1:{server.server_port}", monkeypatch)
        yield paths
        server.shutdown()


def test_nobody_answers(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(BackboneError) as caught:
        cut_backbone("test_resnet", SIZE, pretrained=True)
    what = caught.value.what
    assert "weights of 'test_resnet' cannot be had" in what
    assert f"tried twice: {nobody}/" in what
    assert "refused" in what
    assert caught.value.where == "backbone.pretrained"
    assert "checkpoint_path" in (caught.value.next_step or "")
    assert not caplog.records  # the hub's client was not let loose


def test_an_answer_is_left_to_the_download(asked: list[str]) -> None:
    with pytest.raises(BackboneError, match="cannot be had") as caught:
        cut_backbone("test_resnet", SIZE, pretrained=True)
    assert "nobody answers" not in caught.value.what
    assert any(path.endswith("pytorch_model.bin") for path in asked)


def test_weights_that_are_here_need_no_answer(
    nobody: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda repository, file: str(tmp_path / file)
    )
    hub.require_hub("test_resnet")


def test_what_comes_from_no_hub_asks_nobody(nobody: str) -> None:
    hub.require_hub("mobilenetv2_035")
    assert nobody
