"""Attention is part of what is exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mtlsearch.export import TOLERANCE, export_bundle, open_bundle
from mtlsearch.export._program import ExportedNetwork
from mtlsearch.models import HeadWithAttention, MultiTaskNetwork, cut_backbone
from tests.export import networks


def test_a_bundle_has_the_gates(tmp_path: Path) -> None:
    """All formats are checked when it is written; here, that gates were there and not idle."""
    tasks = networks.tasks()
    cut = cut_backbone("test_resnet", networks.SIZE)
    plan = networks.tree(list(tasks), len(cut.units))
    heads = {name: task.build_head(cut.features) for name, task in tasks.items()}
    plain = MultiTaskNetwork(cut, plan, heads).eval()
    gated = MultiTaskNetwork(
        cut, plan, {name: HeadWithAttention(head, cut.features) for name, head in heads.items()}
    ).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in gated.named_parameters():
            if ".mask." in name:
                parameter.normal_(generator=generator)
    bundle = export_bundle(gated, tasks, tmp_path / "bundle", **networks.about(gated))
    images = networks.images(3, seed=4)
    found = open_bundle(bundle).run(images.numpy())
    with torch.no_grad():
        expected = ExportedNetwork(gated, tasks)(images)
        without = ExportedNetwork(plain, tasks)(images)
    for task, tensors in found.items():
        for name, values in tensors.items():
            right = expected[f"{task}.{name}"].numpy()
            assert np.abs(values - right).max() <= TOLERANCE * np.abs(right).max()
        # The tensor of largest change, as a box clipped to the image may not move at all.
        changes = [
            np.abs(values - without[f"{task}.{name}"].numpy()).max()
            for name, values in tensors.items()
        ]
        assert max(changes) > 1e-3
