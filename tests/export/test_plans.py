"""Any plan of any search space can be exported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtlsearch.bundle import GRAPH
from mtlsearch.export._bundle import _graph_runner
from mtlsearch.export._compare import check_format, module_runner
from mtlsearch.models import HeadWithAttention, MultiTaskNetwork, cut_backbone
from mtlsearch.models.programs import ExportedNetwork, make_program, save_graph
from mtlsearch.plan import SharingPlan
from mtlsearch.registry import build_registry
from mtlsearch.testing import RandomSuggest
from tests.export import networks

SPACES = build_registry().spaces
CASES = [(space, "test_resnet", 0) for space in SPACES]
SLOW_CASES = [
    *((space, "test_resnet", 1) for space in SPACES),
    *((space, "test_vit", seed) for space in SPACES for seed in (0, 1)),
    *((space, "test_resnet", 2) for space in SPACES if space not in ("hard", "independent")),
]
"""One case takes seconds, so each space has its plans with and without gates, and a third one if
its plans are random."""


@pytest.mark.parametrize(
    ("space", "backbone", "seed"),
    [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW_CASES)],
)
def test_plan_of_any_space_exports(space: str, backbone: str, seed: int, tmp_path: Path) -> None:
    tasks = networks.tasks()
    cut = cut_backbone(backbone, networks.SIZE, granularity="block")
    kind = SPACES[space]
    suggest = RandomSuggest(seed)
    plan = kind(kind.Settings()).propose(suggest, cut.units, sorted(tasks)).plan
    program_equals_network(cut, plan, has_gates=seed % 2 == 0, folder=tmp_path)


def program_equals_network(cut, plan: SharingPlan, *, has_gates: bool, folder: Path) -> None:
    """Check that ONNX and ``torch.export`` compute the same at batch sizes 1 and 4."""
    tasks = networks.tasks()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        heads = {name: task.build_head(cut.features) for name, task in tasks.items()}
        if has_gates:
            heads = {name: HeadWithAttention(head, cut.features) for name, head in heads.items()}
        network = MultiTaskNetwork(cut, plan, heads)
        with torch.no_grad():
            for buffer_name, buffer in network.named_buffers():
                if buffer_name.endswith("running_var"):
                    buffer.uniform_(0.5, 1.5)
    exported = ExportedNetwork(network, tasks).eval()
    images, expected = networks.images(4), module_runner(exported)
    program = make_program(exported, images)
    save_graph(program, sorted(expected(images)), folder / GRAPH)
    check_format(GRAPH, _graph_runner(folder / GRAPH), expected, images)
    check_format("program", module_runner(program.module()), expected, images)
