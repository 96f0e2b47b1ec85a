"""Step time of tree plans against the time that their FLOPs predict.

The prediction interpolates linearly in FLOPs between the step times of ``hard`` and
``independent``. Run ``python benchmarks/law.py`` (minutes). The plans take turns, so that a
change of the machine's speed affects all of them. The deviation of each plan is printed.
"""

from __future__ import annotations

import argparse
import random
import statistics

from step import TASKS, build_tasks, make_batch, plain_step, time_steps

from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.training import Precision, resolve_device, resolve_placement, seeded_heads


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=96, help="pixels along one side")
    parser.add_argument("--batch", type=int, default=16, help="images per step")
    parser.add_argument("--plans", type=int, default=8, help="tree plans besides the baselines")
    parser.add_argument("--repeats", type=int, default=9, help="turns per plan")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parse()
    device = resolve_device(options.device)
    cut = cut_backbone(options.backbone, (options.size, options.size))
    tasks = build_tasks()
    batch = make_batch(options.batch, options.size, device)
    hard, independent = (
        make(TASKS, len(cut.units)) for make in (SharingPlan.hard, SharingPlan.independent)
    )
    trees = [plan for plan in tree_plans(TASKS, len(cut.units)) if plan not in (hard, independent)]
    chosen = [hard, independent, *random.Random(0).sample(trees, options.plans)]
    networks = {
        str(plan): MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 0))
        for plan in chosen
    }
    for network in networks.values():
        resolve_placement("auto", device).network(network)
    precision = Precision(None)
    steps = {
        plan: plain_step(network.train(), batch, precision) for plan, network in networks.items()
    }
    times = {
        plan: statistics.median(milliseconds)
        for plan, milliseconds in time_steps(steps, options.repeats, 1, device).items()
    }
    flops = {plan: network.cost.flops for plan, network in networks.items()}
    print_deviations(times, flops, str(hard), str(independent))


def print_deviations(
    times: dict[str, float], flops: dict[str, int], hard: str, independent: str
) -> None:
    """Print the measured and the predicted milliseconds of every plan."""
    print(f"{'plan':52}{'GFLOPs':>8}{'ms':>9}{'predicted':>11}{'deviation':>11}")
    deviations = []
    for plan in sorted(times, key=lambda plan: flops[plan]):
        share = (flops[plan] - flops[hard]) / (flops[independent] - flops[hard])
        predicted = times[hard] + (times[independent] - times[hard]) * share
        deviations.append(times[plan] / predicted - 1)
        print(
            f"{plan:52}{flops[plan] / 1e9:8.3f}{times[plan]:9.1f}{predicted:11.1f}"
            f"{deviations[-1]:+11.1%}"
        )
    print(f"largest deviation {max(map(abs, deviations)):.1%}")


if __name__ == "__main__":
    main()
