from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from mtlsearch.export import export_bundle
from mtlsearch.models import MultiTaskNetwork
from tests.export import networks


@dataclass(frozen=True)
class Exported:
    path: Path
    network: MultiTaskNetwork
    tasks: dict[str, networks.SmallTask]
    steps: list[str]
    untouched: bool


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A bundle that tests read and do not change, of a network that was in training."""
    tasks = networks.tasks()
    network = networks.network("test_resnet", tasks).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    steps: list[str] = []
    out = tmp_path_factory.mktemp("export") / "bundle"
    path = export_bundle(network, tasks, out, **networks.about(network), progress=steps.append)
    untouched = network.training and all(
        torch.equal(value, before[name]) for name, value in network.state_dict().items()
    )
    return Exported(path, network.eval(), tasks, steps, untouched)
