"""Extensions of a bundle: its network is the one in use, and damaged bundles are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mtlsearch.bundle import open_bundle
from mtlsearch.cli.commands import _extend
from mtlsearch.config import load_run
from mtlsearch.models.programs import ExportedNetwork
from mtlsearch.registry import build_registry
from mtlsearch.runs import load_cut_backbone, open_kept_network
from mtlsearch.study import RunDirectory
from tests.cli.conftest import SmallSearch
from tests.cli.program import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_search")]

NEW = """\
data:
  sources: {kind: scenes, train: 16, val: 8, test: 3, image_size: 32}
tasks:
  objects: {kind: detection, channels: 8}
train: {epochs: 1, batch_size: 8}
search: {trials: 2}
"""


@pytest.fixture(scope="module")
def bundle(small_search: SmallSearch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "used"
    result = call("export", small_search.run, "--trial", "2", "--out", out)
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(autouse=True)
def _without_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_extend, "_search", lambda *_: None)


def extend(folder: Path, bundle: Path, *arguments: str) -> tuple[int, str]:
    (folder / "new.yaml").write_text(NEW)
    result = call("extend", bundle, folder / "new.yaml", "--out", folder / "new", *arguments)
    return result.returncode, " ".join(result.stderr.split())


def test_network_of_a_bundle_is_the_one_in_use(bundle: Path, tmp_path: Path) -> None:
    code, text = extend(tmp_path, bundle)
    assert code == 0, text
    resolved = build_registry().resolve(load_run(tmp_path / "new" / "run.yaml"))
    kept = open_kept_network(resolved, RunDirectory(tmp_path / "new"))
    opened = open_bundle(bundle)
    assert kept is not None
    assert kept.plan == opened.manifest.plan
    assert {name: task.output for name, task in kept.tasks.items()} == dict(opened.tasks)
    network = kept.network(load_cut_backbone(resolved.config, opened.manifest.backbone))
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32), dtype=np.float32)
    names = [f"{task}.{name}" for task, outputs in opened.run(images).items() for name in outputs]
    with torch.no_grad():
        exported = ExportedNetwork(network, kept.tasks).eval()(torch.from_numpy(images))
    expected = opened.run(images)
    for name in names:
        task, _, tensor = name.rpartition(".")
        np.testing.assert_allclose(exported[name], expected[task][tensor], rtol=1e-4, atol=1e-4)


def test_run_file_of_an_extended_bundle_is_that_of_its_run(
    small_search: SmallSearch, bundle: Path, tmp_path: Path
) -> None:
    code, text = extend(tmp_path, bundle)
    assert code == 0, text
    of_bundle = load_run(tmp_path / "new" / "run.yaml").config
    result = call(
        *("extend", small_search.run, tmp_path / "new.yaml", "--trial", "2"),
        *("--out", tmp_path / "other"),
    )
    assert result.returncode == 0, result.stderr
    of_run = load_run(tmp_path / "other" / "run.yaml").config
    assert of_bundle.extends is not None
    assert of_run.extends is not None
    same = {"run": Path(), "images": (), "weights": "0" * 64, "latency_ms": None}
    assert of_bundle.extends.model_copy(update=same) == of_run.extends.model_copy(update=same)
    assert of_bundle.model_copy(update={"extends": None}) == of_run.model_copy(
        update={"extends": None}
    )


def _flip_last_byte(bundle: Path) -> None:
    content = bytearray((bundle / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (bundle / "weights.safetensors").write_bytes(content)


def _without_settings(bundle: Path) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    del manifest["extra"]["network"]
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def _truncate_manifest(bundle: Path) -> None:
    (bundle / "bundle.json").write_text((bundle / "bundle.json").read_text()[:-9])


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (_flip_last_byte, (), "weights.safetensors was changed after the export"),
        (_without_settings, (), "export it again with this version of mtlsearch"),
        (_truncate_manifest, (), "bundle.json is not valid JSON"),
        (None, ("--trial", "2"), "a bundle, which contains one network"),
        (None, ("--unfreeze", "1"), "extend the run from which it was exported"),
    ],
)
def test_bundle_that_cannot_be_extended_is_refused(
    bundle: Path,
    tmp_path: Path,
    change: Callable[[Path], None] | None,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    copied = Path(shutil.copytree(bundle, tmp_path / "used"))
    if change is not None:
        change(copied)
    code, text = extend(tmp_path, copied, *arguments)
    assert code != 0
    assert message in text
    assert not (tmp_path / "new" / "run.yaml").exists()
