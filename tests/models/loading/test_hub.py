"""The hub check: fails fast without a network, passes on any response."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import adapt_input_conv

from mtlsearch.errors import BackboneError
from mtlsearch.models import cut_backbone
from mtlsearch.models.loading import _hub as hub

SIZE = (64, 64)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "RETRY_DELAY", 0.0)


def use_hub_at(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = "huggingface_hub.constants"
    monkeypatch.setattr(f"{constants}.ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> str:
    with socket.socket() as reserved:  # a port without a server
        reserved.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{reserved.getsockname()[1]}"
    use_hub_at(address, monkeypatch)
    return address


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Start a hub without files and yield the paths of requests."""
    paths: list[str] = []

    class Empty(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        use_hub_at(f"http://127.0.0.1:{server.server_port}", monkeypatch)
        yield paths
        server.shutdown()


def test_unreachable_hub_is_reported(unreachable: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(BackboneError) as caught:
        cut_backbone("test_resnet", SIZE, pretrained=True)
    what = caught.value.what
    assert "cannot download the pretrained weights of 'test_resnet'" in what
    assert f"two attempts at {unreachable}/" in what
    assert "refused" in what
    assert caught.value.where == "backbone.pretrained"
    assert "checkpoint_path" in (caught.value.next_step or "")
    assert not caplog.records  # the hub's client did not start


def test_response_without_file_is_left_to_download(requests: list[str]) -> None:
    with pytest.raises(BackboneError, match="cannot load") as caught:
        cut_backbone("test_resnet", SIZE, pretrained=True)
    assert "unreachable" not in caught.value.what
    assert any(path.endswith("pytorch_model.bin") for path in requests)


def test_downloaded_weights_need_no_request(
    unreachable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda repository, file: str(tmp_path / file)
    )
    hub.check_hub("test_resnet")


def test_weights_without_hub_need_no_request(unreachable: str) -> None:
    hub.check_hub("mobilenetv2_035")
    assert unreachable


def test_description_on_an_unreachable_hub_fails_fast(
    unreachable: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(BackboneError) as caught:
        cut_backbone("hf_hub:timm/resnet18.a1_in1k", SIZE)
    assert "the description of 'hf_hub:timm/resnet18.a1_in1k'" in caught.value.what
    assert f"{unreachable}/timm/resnet18.a1_in1k/resolve/main/config.json" in caught.value.what
    assert "network access" in str(caught.value.next_step)
    assert not caplog.records


def test_description_without_network_is_not_a_wrong_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BackboneError) as caught:
        cut_backbone("hf-hub:timm/resnet18.a1_in1k", SIZE)
    assert "image size" not in str(caught.value)
    assert "`mtlsearch list backbones`" in str(caught.value.next_step)


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_downloaded_weights_are_adapted_to_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    """The hub's own client reads the file from its cache, without a network."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        state = timm.create_model("test_resnet").state_dict()
    config = timm.get_pretrained_cfg("test_resnet")
    repository = tmp_path / f"models--{str(config.hf_hub_id).replace('/', '--')}"
    for folder in ("refs", "snapshots/0"):
        (repository / folder).mkdir(parents=True)
    (repository / "refs" / "main").write_text("0")
    save_file(state, repository / "snapshots" / "0" / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    cut = cut_backbone("test_resnet", SIZE, pretrained=True, channels=channels)
    loaded = cut.template.state_dict()
    first = next(key for key in loaded if loaded[key].ndim == 4)
    assert torch.equal(loaded[first], adapt_input_conv(channels, state[first]))
    assert all(torch.equal(loaded[key], state[key]) for key in loaded if key != first)
