"""The page of a bundle predicts in a browser what ``mtlsearch predict`` does."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from mtlsearch.bundle import GRAPH, MANIFEST, WEB, Preprocessing, digest_of, foreign_files
from mtlsearch.errors import ExportError
from mtlsearch.export import export_bundle, open_bundle
from mtlsearch.export.decoding import add_decoding
from mtlsearch.export.web import FILES, copy_runtime, require_web, write_page
from tests.bundle import small
from tests.cli.program import call
from tests.export import networks
from tests.export.conftest import write_made_up_runtime
from tests.export.forms import FORMS, SIZE, raw_graph

pytestmark = pytest.mark.xdist_group("exported")

TOLERANCE = {"score": 1e-3, "xyxy": 0.1, "value": 1e-3, "min": 1e-3, "median": 1e-3, "max": 1e-3}
"""Largest difference by key of the JSON; fractions of pixels have the same as scores."""


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Download onnxruntime-web with npm; skip the test where that is impossible."""
    folder = tmp_path_factory.mktemp("runtime")
    try:
        copy_runtime(None, folder)
    except ExportError as error:
        if error.where != "--web":  # downloaded, but not the expected files
            raise
        pytest.skip(f"npm cannot download onnxruntime-web: {error.what}")
    return folder


@pytest.fixture
def forms(runtime: Path, tmp_path: Path) -> Path:
    """Return a bundle with tasks of all forms and its page."""
    folder = tmp_path / "forms"
    (folder / WEB).mkdir(parents=True)
    (folder / GRAPH).write_bytes(raw_graph())
    tasks = {**FORMS, "kind": replace(FORMS["kind"], classes=("red", "</script><b>", "blue"))}
    add_decoding(folder / GRAPH, tasks, input_size=SIZE)
    plain = Preprocessing(SIZE, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    digests = {GRAPH: digest_of(folder / GRAPH)}
    manifest = replace(
        small.manifest(), tasks=tasks, preprocessing=plain, decoded=True, files=digests
    )
    (folder / MANIFEST).write_text(json.dumps(manifest.to_json()))
    copy_runtime(runtime, folder / WEB)
    write_page(folder / WEB, manifest, "forms <b>")
    return folder


@contextmanager
def opened(browser: Browser, bundle: Path) -> Iterator[Page]:
    """Serve a bundle on loopback and open its page; fail if it logs or requests anything else."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(bundle)))
    Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}/"
    page = browser.new_page()
    problems: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{origin}{WEB}/")
    page.get_by_text("The network is ready.").wait_for()
    yield page
    assert problems == []
    assert all(url.startswith((origin, "blob:", "data:")) for url in requests)
    page.close()
    server.shutdown()
    server.server_close()


def predicted(page: Page, name: str) -> dict[str, Any]:
    """Wait for the predictions of a file and return their JSON."""
    page.locator("#status", has_text=f"{name}: ").filter(has_text="predicted in").wait_for()
    entry: dict[str, Any] = json.loads(page.locator("#json pre").text_content() or "")
    assert entry["image"] == name
    return entry


def require_close(actual: Any, expected: Any, key: str = "score") -> None:
    """Check that two JSON values agree: texts exactly, numbers within the tolerance."""
    if isinstance(expected, dict):
        assert set(actual) == set(expected), key
        for name, item in expected.items():
            require_close(actual[name], item, name if name in TOLERANCE else key)
    elif isinstance(expected, list):
        assert len(actual) == len(expected), key
        for item, other in zip(actual, expected, strict=True):
            require_close(item, other, key)
    elif isinstance(expected, float):
        assert actual == pytest.approx(expected, abs=TOLERANCE[key]), key
    else:
        assert actual == expected, key


def expected_entry(bundle: Path, image: Path) -> dict[str, Any]:
    result = call("predict", bundle, image)
    assert result.returncode == 0, result.stderr
    (entry,) = json.loads(result.stdout)["images"]
    return entry  # type: ignore[no-any-return]


def picture(path: Path, height: int, width: int, **options: Any) -> Path:
    """Write a picture of random colors in blocks."""
    generator = np.random.default_rng(0)
    colors = generator.integers(0, 256, (5, 6, 3), np.uint8)
    image = Image.fromarray(colors).resize((width, height), Image.Resampling.BICUBIC)
    image.save(path, **options)
    return path


def test_page_predicts_all_forms_as_the_command(browser, forms, tmp_path):
    with opened(browser, forms) as page:
        for height, width in ((50, 80), (8, 12), (7, 5)):
            file = picture(tmp_path / f"{height}.png", height, width)
            page.set_input_files("#file", file)
            entry, expected = predicted(page, file.name), expected_entry(forms, file)
            assert entry["size"] == expected["size"] == [height, width]
            require_close(entry["tasks"], expected["tasks"])
        assert set(page.locator("#results [data-task]").all_inner_texts())
        assert page.locator("#results canvas").count() == 5  # with the input and a color scale
        assert page.locator("#results b").count() == 0  # markup in names is text
        assert "</script><b>" in page.locator("[data-task=kind]").inner_text()


def test_dropped_image_is_predicted_by_a_trained_bundle(browser, runtime, decoded, tmp_path):
    bundle = shutil.copytree(decoded, tmp_path / "bundle")
    copy_runtime(runtime, bundle / WEB)
    exif = Image.Exif()
    exif[0x0112] = 6  # Viewers rotate the image by 90 degrees.
    file = picture(tmp_path / "a.jpg", 60, 90, exif=exif, quality=95)
    with opened(browser, bundle) as page:
        content = base64.b64encode(file.read_bytes()).decode()
        transfer = page.evaluate_handle(
            """async (content) => {
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                const transfer = new DataTransfer();
                transfer.items.add(new File([bytes], "a.jpg", {type: "image/jpeg"}));
                return transfer;
            }""",
            content,
        )
        page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
        entry, expected = predicted(page, "a.jpg"), expected_entry(bundle, file)
        assert entry["size"] == expected["size"] == [90, 60]
        require_close(entry["tasks"], expected["tasks"])
        assert len(entry["tasks"]["boxes"]["boxes"]) > 0
        page.set_input_files("#file", files=[{"name": "b.png", "mimeType": "", "buffer": b"text"}])
        page.locator("#status.error", has_text="b.png: this browser cannot read").wait_for()


def test_transparency_is_named(browser, forms, tmp_path):
    opaque = Image.fromarray(np.full((8, 12, 3), 90, np.uint8))
    clear = opaque.copy()
    clear.putalpha(Image.fromarray(np.tile(np.uint8([255] * 11 + [254]), (8, 1))))
    with opened(browser, forms) as page:
        for image, name in ((opaque, "a.png"), (clear, "b.png")):
            image.save(tmp_path / name)
            page.set_input_files("#file", tmp_path / name)
            predicted(page, name)
            assert ("transparent" in page.locator("#status").inner_text()) == (image is clear)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize(
    "shape", [(37, 53), (200, 11), (32, 64), (10, 64), (3, 300), (200, 148), (201, 148)]
)
def test_page_resizes_in_the_order_of_pillow(shape, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    small = Image.fromarray(pixels).resize((64, 32), Image.Resampling.BILINEAR)
    text = files("mtlsearch.export.web").joinpath("page.js").read_text(encoding="utf-8")
    begin, end = text.index("// Integer coefficients"), text.index("// The network's input")
    height, width = shape
    data = np.dstack([pixels, np.full(shape, 255, np.uint8)]).ravel().tolist()
    (tmp_path / "resize.mjs").write_text(
        f"const PRECISION_BITS = 22;\n{text[begin:end]}\n"
        f"const image = {{data: {data}, width: {width}, height: {height}}};\n"
        "console.log(JSON.stringify(Array.from(resize(image, 64, 32))));\n"
    )
    command = ["node", tmp_path / "resize.mjs"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    resized = np.array(json.loads(result.stdout)).reshape(32, 64, 4)[..., :3]
    np.testing.assert_array_equal(resized, np.asarray(small))


def test_manifest_lists_the_page_which_may_be_edited(decoded, tmp_path):
    bundle = shutil.copytree(decoded, tmp_path / "bundle")
    manifest = json.loads((bundle / MANIFEST).read_text())
    names = {path.name for path in (bundle / WEB).iterdir()}
    assert set(manifest["web"]) == names == {*FILES, "index.html", "page.js", "page.css"}
    assert not any("/" in name for name in manifest["files"])
    assert "http.server" in (bundle / "README.md").read_text()
    assert foreign_files(bundle) == []
    (bundle / WEB / "page.css").write_text("body {}")
    (bundle / WEB / "notes.txt").write_text("mine")
    assert foreign_files(bundle) == ["web/notes.txt", "web/page.css"]
    open_bundle(bundle)  # an edited page does not change predictions


def test_runtime_is_found_in_archive_and_folders(tmp_path, monkeypatch):
    dist = tmp_path / "package" / "dist"
    dist.mkdir(parents=True)
    write_made_up_runtime(dist, monkeypatch)
    archive = tmp_path / "runtime.tgz"
    subprocess.run(["tar", "czf", archive, "-C", tmp_path, "package"], check=True)
    for index, source in enumerate([archive, tmp_path, tmp_path / "package", dist]):
        out = tmp_path / str(index)
        out.mkdir()
        copy_runtime(source, out)
        assert {path.name: path.read_text() for path in out.iterdir()} == {n: n for n in FILES}


def test_missing_runtime_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ExportError, match="npm was not found") as missing:
        copy_runtime(None, tmp_path)
    assert "--web-runtime" in str(missing.value)
    (tmp_path / "bad.tgz").write_text("not an archive")
    for source in (tmp_path, tmp_path / "bad.tgz"):
        with pytest.raises(ExportError, match=r"is missing|cannot be read") as wrong:
            copy_runtime(source, tmp_path)
        assert "npm pack onnxruntime-web@" in str(wrong.value)


def test_damaged_runtime_is_refused(tmp_path, monkeypatch):
    dist = tmp_path / "package" / "dist"
    dist.mkdir(parents=True)
    noise = np.random.default_rng(0).bytes(100_000)
    for name in FILES:
        (dist / name).write_bytes(noise)
        monkeypatch.setitem(FILES, name, hashlib.sha256(noise).hexdigest())
    archive = tmp_path / "runtime.tgz"
    subprocess.run(["tar", "czf", archive, "-C", tmp_path, "package"], check=True)
    out = tmp_path / "out"
    out.mkdir()
    copy_runtime(archive, out)
    intact = archive.read_bytes()
    middle = len(intact) // 2
    zeros = intact[:middle] + bytes(2000) + intact[middle + 2000 :]
    flipped = intact[:middle] + bytes([intact[middle] ^ 255]) + intact[middle + 1 :]
    for content in (zeros, flipped, intact[:middle]):
        archive.write_bytes(content)
        with pytest.raises(ExportError, match=r"cannot be read|damaged") as damaged:
            copy_runtime(archive, out)
        assert "npm pack onnxruntime-web@" in str(damaged.value)
    (dist / "ort.wasm.min.mjs").write_text("")
    with pytest.raises(ExportError, match=r"ort\.wasm\.min\.mjs is damaged, or not that of"):
        copy_runtime(dist, out)


def test_zlib_error_of_an_archive_is_explained(tmp_path, monkeypatch):
    archive = tmp_path / "runtime.tgz"
    archive.write_text("")

    def broken(_):
        raise zlib.error("invalid distance")

    monkeypatch.setattr(tarfile, "open", broken)
    with pytest.raises(ExportError, match="cannot be read: invalid distance"):
        copy_runtime(archive, tmp_path)


def test_failed_download_names_the_way_out(tmp_path, monkeypatch):
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ExportError, match="no network"):
        copy_runtime(None, tmp_path)


def test_web_is_refused_for_other_channels(exported, tmp_path):
    with pytest.raises(ExportError, match="RGB of 8 bits"):
        require_web(Preprocessing(SIZE, (0.0,) * 4, (1.0,) * 4, "rgba"))
    arguments = networks.export_arguments(exported.network)
    with pytest.raises(ExportError, match=r"ort\.wasm"):
        export_bundle(
            exported.network, exported.tasks, tmp_path / "out", **arguments,
            web=True, web_runtime=tmp_path,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()
