"""What the choices of ``train`` in a run file are worth: the trainer's step with and without each.

Run ``python benchmarks/choices.py`` (minutes; those with torch.compile, by ``--choices``, take
minutes more, and bf16 takes long on a CPU that has none). Three tasks on a plan that parts in
the middle; every choice has its own copy of one network, takes turns with the others, and is
told with its ratio to float32 in PyTorch's memory order, the memory that its step takes beyond
weights and optimizer, and how far its first loss is from float32's. ``any kernels`` is float32
with ``deterministic: false``, the others ask for deterministic ones.
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
    classifiers,
    make_batch,
    options_of,
    peak_memory,
    plans,
    print_circumstances,
    timed,
    trainer_step,
)

from mtlsearch.config import TrainConfig
from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plugin import Batch
from mtlsearch.training import resolve_device, seeded_heads
from mtlsearch.training._reproducibility import reproducible

PLAIN: dict[str, Any] = {"precision": "fp32", "channels_last": False}
ANY_KERNELS = "any kernels"
CHOICES: dict[str, dict[str, Any]] = {
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

EVERY = CHOICES | COMPILED


def measure(name: str, options: argparse.Namespace, device: torch.device) -> Iterator[dict]:
    """One backbone with every choice."""
    torch.compiler.reset()
    cut = cut_backbone(name, (options.size, options.size))
    tasks = classifiers()
    plan = plans(len(cut.units))["tree"]
    network = MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 0))
    batch = make_batch(options.batch, options.size, device)
    batch = Batch(batch.images.contiguous(), batch.targets)
    suggest = {at: of for at, of in EVERY.items() if at == "fp32" or at in options.suggest}
    if device.type != "cuda":  # there fp16 is refused and kernels are deterministic anyway
        suggest = {at: of for at, of in suggest.items() if at not in ("fp16", ANY_KERNELS)}
    steps, losses = {}, {}
    for choice, settings in suggest.items():
        own = copy.deepcopy(network).to(device).train()
        config = TrainConfig(batch_size=options.batch, **settings)
        steps[choice], log = trainer_step(own, tasks, batch, config)
        with kernels(choice, device):
            steps[choice]()
        log.read()
        losses[choice] = log.latest
    times = timed(
        steps, options.repeats, options.each, device, within=lambda choice: kernels(choice, device)
    )
    for choice, found in times.items():
        with kernels(choice, device):
            memory = peak_memory(steps[choice], device)
        yield {
            "backbone": name,
            "choice": choice,
            "ms": statistics.median(found),
            "to_fp32": statistics.median(
                own / plain for own, plain in zip(found, times["fp32"], strict=True)
            ),
            "memory_mib": memory,
            "first_loss_off": losses[choice] / losses["fp32"] - 1,
        }


def kernels(choice: str, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The kernels that a choice runs with."""
    return reproducible(0, device, deterministic_kernels=choice != ANY_KERNELS)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = options_of(__doc__.splitlines()[0], repeats=9)
    parser.add_argument(
        "--choices",
        nargs="+",
        suggest=list(EVERY),
        default=list(CHOICES),
        metavar="CHOICE",
        help=f"beside fp32 (default: all without compile): {', '.join(EVERY)}",
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print and perhaps write."""
    options = parse()
    device = resolve_device(options.device)
    print_circumstances(options, device)
    rows = []
    for name in options.backbones:
        for row in measure(name, options, device):
            rows.append(row)
            print(
                f"{name:24}{row['choice']:30}{row['ms']:10.2f} ms{row['to_fp32']:8.3f}"
                f"{row['memory_mib']:9.1f} MiB{row['first_loss_off']:+10.2%}",
                flush=True,
            )
    if options.out is not None:
        pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
