"""Task heads with the same initial weights for every sharing plan."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

import torch
from torch import nn

from mtlsearch.models import HeadWithAttention
from mtlsearch.plugin import FeatureSpec, Task
from mtlsearch.training._error_context import attribute_errors_to


def seeded_heads(
    tasks: Mapping[str, Task],
    features: FeatureSpec,
    seed: int,
    tasks_with_attention: Collection[str] = (),
) -> dict[str, nn.Module]:
    """Build one head per task, with weights that depend only on the seed and the task name.

    A task starts from the same head with every plan and every set of tasks, so that trials
    differ only by the plan. Torch's generator is restored.

    Args:
        tasks: tasks by name.
        features: feature levels that the heads receive.
        seed: seed of the run.
        tasks_with_attention: names of the tasks whose heads get an attention gate per feature
            level; the heads have the same weights as without.

    Returns:
        Untrained heads by task name, on the CPU.

    Raises:
        PluginError: a task cannot build its head.
    """
    heads = {}
    with torch.random.fork_rng(devices=[]):
        for name, task in tasks.items():
            torch.default_generator.manual_seed(_seed_of(name, seed))
            with attribute_errors_to(task, "head"):
                head = task.build_head(features)
            has_attention = name in tasks_with_attention
            heads[name] = HeadWithAttention(head, features) if has_attention else head
    return heads


def _seed_of(name: str, seed: int) -> int:
    """Return a seed that depends on a name; Python's own hash differs between processes."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
