"""What the choices of ``train`` in a run file are worth: the trainer's step with and without each.

Run ``python benchmarks/choices.py`` (minutes; ``--compile`` takes minutes more). Three tasks
on a plan that parts in the middle; every choice has its own copy of one network, takes turns
with the others, and is told with its ratio to float32 in PyTorch's memory order, the memory
that its step takes beyond weights and optimizer, and how far its first loss is from float32's.
``any kernels`` is float32 with ``deterministic: false``, the others ask for deterministic ones.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from by_hand import BY_HAND
from step import TASKS, Classify, Step, make_batch, peak_memory, plans, wait

from mtlsearch.backbone import cut_backbone
from mtlsearch.config import TrainConfig
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.network import MultiTaskNetwork
from mtlsearch.plugin import Batch, Settings, Task
from mtlsearch.training import Ranks, resolve_device, seeded_heads
from mtlsearch.training._determinism import repeatable
from mtlsearch.training._fitted_step import FittedStep
from mtlsearch.training._log import LossLog
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._placement import resolve_placement
from mtlsearch.training._precision import resolve_precision
from mtlsearch.training._step import TrainingStep

PLAIN: dict[str, Any] = {"precision": "fp32", "channels_last": False}
ANY_KERNELS = "any kernels"
CHOICES: dict[str, dict[str, Any]] = {
    "fp32": PLAIN,
    ANY_KERNELS: PLAIN,
    "channels_last": PLAIN | {"channels_last": True},
    "bf16": PLAIN | {"precision": "bf16"},
    "fp16": PLAIN | {"precision": "fp16"},
    "bf16, channels_last": {"precision": "bf16", "channels_last": True},
    "accumulate: 4": PLAIN | {"accumulate": 4},
}
COMPILED = {
    "compile": PLAIN | {"compile": True},
    "compile, bf16, channels_last": {"precision": "bf16", "channels_last": True, "compile": True},
}


def make_step(
    network: MultiTaskNetwork, tasks: Mapping[str, Task], batch: Batch, config: TrainConfig
) -> tuple[Step, LossLog]:
    """The trainer's step as that configuration asks for it, and where its losses are."""
    device = batch.images.device
    placement = resolve_placement(config.channels_last, device)
    placement.network(network)
    runner = torch.compile(network) if config.compile else network
    step = TrainingStep(
        runner,  # type: ignore[arg-type]
        tasks,
        labels_of={task: task for task in tasks},
        loss_weights=dict.fromkeys(tasks, 1.0),
        optimizer=build_optimizer(network, "adamw", learning_rate=1e-4, weight_decay=0.05),
        precision=resolve_precision(config.precision, device),
        clip_norm=config.clip_norm,
    )
    fitted = FittedStep(
        step, network, placement, parts=config.accumulate, ranks=Ranks(), tell=print
    )
    log = LossLog(0, device)
    return (lambda: log.add(0, fitted(batch)) and None), log


def measure(name: str, options: argparse.Namespace, device: torch.device) -> Iterator[dict]:
    """One backbone with every choice."""
    torch.compiler.reset()
    cut = cut_backbone(name, (options.size, options.size))
    tasks: dict[str, Task] = {
        task: Classify(task, Settings(), LabelSpec(Form.CATEGORY)) for task in TASKS
    }
    plan = plans(len(cut.units))["tree"]
    network = MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 0))
    batch = make_batch(options.batch, options.size, device)
    batch = Batch(batch.images.contiguous(), batch.targets)
    choices = CHOICES | (COMPILED if options.compile else {})
    if device.type != "cuda":  # there fp16 is refused and kernels are deterministic anyway
        choices = {at: of for at, of in choices.items() if at not in ("fp16", ANY_KERNELS)}
    steps, losses = {}, {}
    for choice, settings in choices.items():
        own = copy.deepcopy(network).to(device).train()
        config = TrainConfig(batch_size=options.batch, **settings)
        steps[choice], log = make_step(own, tasks, batch, config)
        with kernels(choice, device):
            steps[choice]()
        log.read()
        losses[choice] = log.latest
    times: dict[str, list[float]] = {choice: [] for choice in steps}
    names = list(steps)
    for turn in range(-3, options.repeats):  # the first three warm up
        shift = turn % len(names)
        for choice in names[shift:] + names[:shift]:
            with kernels(choice, device):
                took = milliseconds(steps[choice], options.each, device)
            if turn >= 0:
                times[choice].append(took)
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
    return repeatable(0, device, kernels=choice != ANY_KERNELS)


def milliseconds(step: Step, each: int, device: torch.device) -> float:
    """The mean over so many steps in a row."""
    wait(device)
    began = time.perf_counter()
    for _ in range(each):
        step()
    wait(device)
    return (time.perf_counter() - began) / each * 1000


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbones", nargs="+", choices=list(BY_HAND), default=list(BY_HAND))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=96, help="pixels a side")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=9, help="turns of each choice")
    parser.add_argument("--each", type=int, default=1, help="steps a turn")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well")
    parser.add_argument("--out", type=Path, help="write the table as CSV")
    return parser.parse_args()


def main() -> None:
    """Measure, print and perhaps write."""
    options = parse()
    device = resolve_device(options.device)
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, "
        f"{options.size} px, batch {options.batch}, {options.repeats} turns of {options.each}"
    )
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
