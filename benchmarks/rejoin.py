"""Time of a shared unit whose tasks take different paths: separate runs against one large batch.

Run ``python benchmarks/rejoin.py`` (minutes). Two tasks have separate copies of the first units
of a backbone and share the others. The shared units process the two activations one after the
other (``separate``), or both in one batch (``joint``). Each step is a forward and a backward
pass in plain ``nn.Module`` code. The two variants alternate.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from hand_written import CUT_BY_BACKBONE
from torch import Tensor, nn

from mtlsearch.models import cut_backbone
from mtlsearch.training import resolve_device

Step = Callable[[], None]


def apply_units(units: Sequence[nn.Module], value: Tensor) -> Tensor:
    """Apply units one after another."""
    for unit in units:
        value = unit(value)
    return value


def build_steps(backbone: str, num_separate: int, images: Tensor) -> dict[str, Step]:
    """Build one step per variant; the first ``num_separate`` units are not shared."""
    template = cut_backbone(backbone, (images.shape[-2], images.shape[-1])).template

    def copy_units() -> list[nn.Module]:
        model = copy.deepcopy(template).to(images.device).train()
        return CUT_BY_BACKBONE[backbone].list_units(model)

    units = copy_units()
    first_branch, shared = units[:num_separate], units[num_separate:]
    second_branch = copy_units()[:num_separate]
    weights = [weight for unit in (*units, *second_branch) for weight in unit.parameters()]

    def step(compute_loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        loss = compute_loss(apply_units(first_branch, images), apply_units(second_branch, images))
        torch.autograd.grad(loss, weights, allow_unused=True)

    def separate(first: Tensor, second: Tensor) -> Tensor:
        return (
            apply_units(shared, first).square().mean() + apply_units(shared, second).square().mean()
        )

    def joint(first: Tensor, second: Tensor) -> Tensor:
        return 2 * apply_units(shared, torch.cat([first, second])).square().mean()

    return {"separate": lambda: step(separate), "joint": lambda: step(joint)}


def time_step(step: Step, device: torch.device) -> float:
    """Return the milliseconds of one step."""
    start = time.perf_counter()
    step()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    backbones = list(CUT_BY_BACKBONE)
    parser.add_argument("--backbones", nargs="+", choices=backbones, default=backbones)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=96, help="pixels along one side")
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 16], help="batch sizes")
    parser.add_argument("--repeats", type=int, default=15, help="steps per variant")
    options = parser.parse_args()
    device = resolve_device(options.device)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    print(
        f"{'backbone':24}{'separate units':>16}{'batch':>7}{'separate ms':>13}{'joint ms':>10}"
        f"{'ratio':>8}"
    )
    for backbone in options.backbones:
        for batch_size in options.batches:
            images = torch.randn(batch_size, 3, options.size, options.size, device=device)
            for num_separate in (2, 4):
                steps = build_steps(backbone, num_separate, images)
                rounds = [
                    {name: time_step(step, device) for name, step in steps.items()}
                    for _ in range(options.repeats + 2)
                ][2:]
                median = {
                    name: statistics.median(times[name] for times in rounds) for name in steps
                }
                ratio = statistics.median(times["joint"] / times["separate"] for times in rounds)
                print(
                    f"{backbone:24}{num_separate:16}{batch_size:7}{median['separate']:13.1f}"
                    f"{median['joint']:10.1f}{ratio:8.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
