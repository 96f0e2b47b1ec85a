"""A shared unit whose tasks come different ways: once each, or once on the batches together?

Run ``python benchmarks/rejoin.py`` (minutes). Two tasks have the first units of a backbone
apart and the rest in common. The shared rest is run on the one activation and on the other,
or on both in one batch; forward and backward, in turns, in plain ``nn.Module`` code.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from hand_written import BY_HAND
from torch import Tensor, nn

from mtlsearch.models import cut_backbone
from mtlsearch.training import resolve_device

Run = Callable[[], None]


def through(units: Sequence[nn.Module], value: Tensor) -> Tensor:
    """The value after the units, one after another."""
    for unit in units:
        value = unit(value)
    return value


def contestants(name: str, apart: int, images: Tensor) -> dict[str, Run]:
    """A step of each way, ``apart`` units from the input not shared."""
    template = cut_backbone(name, (images.shape[-2], images.shape[-1])).template
    units = BY_HAND[name].parts(copy.deepcopy(template).to(images.device).train())
    other = BY_HAND[name].parts(copy.deepcopy(template).to(images.device).train())[:apart]
    weights = [weight for unit in (*units, *other) for weight in unit.parameters()]

    def step(forward: Callable[[Tensor, Tensor], Tensor]) -> None:
        loss = forward(through(units[:apart], images), through(other, images))
        torch.autograd.grad(loss, weights, allow_unused=True)

    def once_each(one: Tensor, two: Tensor) -> Tensor:
        rest = units[apart:]
        return through(rest, one).square().mean() + through(rest, two).square().mean()

    def together(one: Tensor, two: Tensor) -> Tensor:
        return 2 * through(units[apart:], torch.cat([one, two])).square().mean()

    return {"once each": lambda: step(once_each), "together": lambda: step(together)}


def timed(run: Run, device: torch.device) -> float:
    """Milliseconds of one run."""
    start = time.perf_counter()
    run()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbones", nargs="+", suggest=list(BY_HAND), default=list(BY_HAND))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=96, help="pixels a side")
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--repeats", type=int, default=15, help="turns of each way")
    options = parser.parse_args()
    device = resolve_device(options.device)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    print(f"{'backbone':24}{'apart':>7}{'batch':>7}{'each ms':>14}{'together ms':>13}{'ratio':>8}")
    for name in options.backbones:
        for batch in options.batches:
            images = torch.randn(batch, 3, options.size, options.size, device=device)
            for apart in (2, 4):
                ways = contestants(name, apart, images)
                rounds = [
                    {way: timed(run, device) for way, run in ways.items()}
                    for _ in range(options.repeats + 2)
                ][2:]
                middle = {way: statistics.median(each[way] for each in rounds) for way in ways}
                ratio = statistics.median(each["together"] / each["once each"] for each in rounds)
                print(
                    f"{name:24}{apart:7}{batch:7}{middle['once each']:14.1f}"
                    f"{middle['together']:13.1f}{ratio:8.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
