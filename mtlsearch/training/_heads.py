"""New heads, the same for every plan."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import nn

from mtlsearch.plugin import FeatureSpec, Task


def seeded_heads(
    tasks: Mapping[str, Task], features: FeatureSpec, seed: int
) -> dict[str, nn.Module]:
    """A new head a task; its weights depend on the seed and the task's name alone.

    So a task starts from the same head whatever the plan and whatever the other tasks, and
    what differs between trials is the plan. Torch's generator is left as it was.
    """
    heads = {}
    with torch.random.fork_rng(devices=[]):
        for name, task in tasks.items():
            torch.default_generator.manual_seed(_seed_of(name, seed))
            heads[name] = task.build_head(features)
    return heads


def _seed_of(name: str, seed: int) -> int:
    """A seed of its own for every name; Python's own hash differs from run to run."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
