"""A bundle contains the attention gates of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mtlsearch.export import TOLERANCE, export_bundle, open_bundle
from mtlsearch.models import HeadWithAttention, MultiTaskNetwork, cut_backbone
from mtlsearch.models.programs import ExportedNetwork
from tests.export import networks


def test_export_bundle_contains_attention_gates(tmp_path: Path) -> None:
    """Export verifies all formats; this checks that the gates change the outputs."""
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
    bundle = export_bundle(gated, tasks, tmp_path / "bundle", **networks.export_arguments(gated))
    images = networks.images(3, seed=4)
    arrays = open_bundle(bundle).run(images.numpy())
    with torch.no_grad():
        expected = ExportedNetwork(gated, tasks)(images)
        without = ExportedNetwork(plain, tasks)(images)
    for task, tensors in arrays.items():
        for name, values in tensors.items():
            right = expected[f"{task}.{name}"].numpy()
            assert np.abs(values - right).max() <= TOLERANCE * np.abs(right).max()
        # The largest change over tensors, because a box clipped to the image may not change.
        changes = [
            np.abs(values - without[f"{task}.{name}"].numpy()).max()
            for name, values in tensors.items()
        ]
        assert max(changes) > 1e-3
