"""New heads, the same for every plan."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

import torch
from torch import nn

from mtlsearch.models import HeadWithAttention
from mtlsearch.plugin import FeatureSpec, Task
from mtlsearch.training._error_context import attribute_errors_to


def seeded_heads(
    tasks: Mapping[str, Task], features: FeatureSpec, seed: int, gated: Collection[str] = ()
) -> dict[str, nn.Module]:
    """A new head a task; its weights depend on the seed and the task's name alone.

    So a task starts from the same head whatever the plan and whatever the other tasks, and
    what differs between trials is the plan. Torch's generator is left as it was.

    Args:
        tasks: the tasks by name.
        features: the levels that heads are given.
        seed: the run's.
        gated: names of the tasks that have attention on their features; their heads are the
            same as without.

    Raises:
        PluginError: a task cannot build its head.
    """
    heads = {}
    with torch.random.fork_rng(devices=[]):
        for name, task in tasks.items():
            torch.default_generator.manual_seed(_seed_of(name, seed))
            with attribute_errors_to(task, "head"):
                head = task.build_head(features)
            heads[name] = HeadWithAttention(head, features) if name in gated else head
    return heads


def _seed_of(name: str, seed: int) -> int:
    """A seed of its own for every name; Python's own hash differs from run to run."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
