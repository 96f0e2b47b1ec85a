"""Effect of the ``train`` settings of a run file on time and memory of a training step.

Run ``python benchmarks/choices.py`` (minutes). ``--choices`` adds variants with torch.compile,
which need minutes more; bf16 is slow on a CPU without bf16 instructions. Three tasks use a tree
plan that separates them in the middle. Every variant trains a copy of one network, and the
variants take turns.

Per variant the table shows the time relative to ``fp32`` without channels last, the memory of a
step besides weights and optimizer, and the relative difference of the first loss. ``any
kernels`` is fp32 with ``deterministic: false``; the other variants use deterministic kernels.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import statistics
from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch
from step import (
    build_parser,
    build_plans,
    build_tasks,
    make_batch,
    peak_memory,
    print_environment,
    time_steps,
    trainer_step,
)

from mtlsearch.config import TrainConfig
from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plugin import Batch
from mtlsearch.training import resolve_device, seeded_heads
from mtlsearch.training._reproducibility import reproducible

PLAIN: dict[str, Any] = {"precision": "fp32", "channels_last": False}
ANY_KERNELS = "any kernels"
UNCOMPILED: dict[str, dict[str, Any]] = {
    "fp32": PLAIN,
    ANY_KERNELS: PLAIN,
    "channels_last": PLAIN | {"channels_last": True},
    "bf16": PLAIN | {"precision": "bf16"},
    "fp16": PLAIN | {"precision": "fp16"},
    "bf16, channels_last": {"precision": "bf16", "channels_last": True},
    "accumulation_steps: 4": PLAIN | {"accumulation_steps": 4},
}
COMPILED = {
    "compile": PLAIN | {"compile": True},
    "compile, bf16, channels_last": {"precision": "bf16", "channels_last": True, "compile": True},
}
SETTINGS_BY_CHOICE = UNCOMPILED | COMPILED
CUDA_ONLY = ("fp16", ANY_KERNELS)
"""A CPU does not support fp16, and its kernels are deterministic in any case."""


def measure(
    backbone: str, options: argparse.Namespace, device: torch.device
) -> Iterator[dict[str, Any]]:
    """Yield one row per variant for a backbone."""
    torch.compiler.reset()
    cut = cut_backbone(backbone, (options.size, options.size))
    tasks = build_tasks()
    plan = build_plans(len(cut.units))["tree"]
    network = MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 0))
    batch = make_batch(options.batch, options.size, device)
    batch = Batch(batch.images.contiguous(), batch.targets)
    steps, losses = {}, {}
    for choice in chosen_variants(options.choices, device):
        network_copy = copy.deepcopy(network).to(device).train()
        config = TrainConfig(batch_size=options.batch, **SETTINGS_BY_CHOICE[choice])
        steps[choice], tracker = trainer_step(network_copy, tasks, batch, config)
        with use_kernels(choice, device):
            steps[choice]()
        tracker.read()
        losses[choice] = tracker.latest
    times = time_steps(
        steps,
        options.repeats,
        options.each,
        device,
        context=lambda choice: use_kernels(choice, device),
    )
    for choice, milliseconds in times.items():
        with use_kernels(choice, device):
            memory = peak_memory(steps[choice], device)
        pairs = zip(milliseconds, times["fp32"], strict=True)
        yield {
            "backbone": backbone,
            "choice": choice,
            "ms": statistics.median(milliseconds),
            "to_fp32": statistics.median(varied / plain for varied, plain in pairs),
            "memory_mib": memory,
            "first_loss_off": losses[choice] / losses["fp32"] - 1,
        }


def chosen_variants(names: list[str], device: torch.device) -> list[str]:
    """Return the variants that run on a device, ``fp32`` among them."""
    return [
        choice
        for choice in SETTINGS_BY_CHOICE
        if choice == "fp32"
        or (choice in names and (device.type == "cuda" or choice not in CUDA_ONLY))
    ]


def use_kernels(choice: str, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Return a context that selects the kernels of a variant."""
    return reproducible(0, device, deterministic_kernels=choice != ANY_KERNELS)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = build_parser(__doc__.splitlines()[0], repeats=9)
    parser.add_argument(
        "--choices",
        nargs="+",
        choices=list(SETTINGS_BY_CHOICE),
        default=list(UNCOMPILED),
        metavar="CHOICE",
        help=f"besides fp32 (default: all without compile): {', '.join(SETTINGS_BY_CHOICE)}",
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print and write if ``--out`` is given."""
    options = parse()
    device = resolve_device(options.device)
    print_environment(options, device)
    rows = []
    for backbone in options.backbones:
        for row in measure(backbone, options, device):
            rows.append(row)
            print(
                f"{backbone:24}{row['choice']:30}{row['ms']:10.2f} ms{row['to_fp32']:8.3f}"
                f"{row['memory_mib']:9.1f} MiB{row['first_loss_off']:+10.2%}",
                flush=True,
            )
    if options.out is not None:
        pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
