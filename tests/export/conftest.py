from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from mtlsearch.export import export_bundle
from mtlsearch.export.web import FILES
from mtlsearch.models import MultiTaskNetwork
from tests.export import networks


@dataclass(frozen=True)
class Exported:
    path: Path
    network: MultiTaskNetwork
    tasks: dict[str, networks.SmallTask]
    steps: list[str]
    is_unchanged: bool


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Export a network in training mode; tests only read the bundle.

    Once per worker; its tests are in the xdist group ``exported``.
    """
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    steps: list[str] = []
    out = tmp_path_factory.mktemp("export") / "bundle"
    path = export_bundle(
        network, tasks, out, **networks.export_arguments(network), progress=steps.append
    )
    is_unchanged = network.training and all(
        torch.equal(value, before[name]) for name, value in network.state_dict().items()
    )
    return Exported(path, network.eval(), tasks, steps, is_unchanged)


@pytest.fixture(scope="session")
def decoded(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the network of ``exported`` again, with decoding and a page without its runtime."""
    folder = tmp_path_factory.mktemp("decoded")
    with pytest.MonkeyPatch.context() as patch:
        write_made_up_runtime(folder, patch)
        return export_bundle(
            exported.network,
            exported.tasks,
            folder / "bundle",
            **networks.export_arguments(exported.network),
            web=True,
            web_runtime=folder,
        )


def write_made_up_runtime(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Write files with the names of those of onnxruntime-web, and expect their checksums."""
    for name in FILES:
        (folder / name).write_text(name)
        patch.setitem(FILES, name, hashlib.sha256(name.encode()).hexdigest())
