"""Step time over the tree plans against their FLOPs.

A plan's step should take what its FLOPs say: the time of ``hard``, and of the difference to
``independent`` the share that the plan has of the difference in FLOPs. Run
``python benchmarks/law.py`` (minutes): every plan takes turns, so that a machine that slows
down slows all, and the deviation of each from that law is printed.
"""

from __future__ import annotations

import argparse
import random
import statistics

from step import TASKS, classifiers, make_batch, plain_step, timed

from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.training import Precision, resolve_device, resolve_placement, seeded_heads


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=96, help="pixels a side")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--plans", type=int, default=8, help="tree plans besides the baselines")
    parser.add_argument("--repeats", type=int, default=9, help="turns of each plan")
    options = parser.parse_args()
    device = resolve_device(options.device)
    cut = cut_backbone(options.backbone, (options.size, options.size))
    tasks = classifiers()
    batch = make_batch(options.batch, options.size, device)
    hard, alone = (
        make(TASKS, len(cut.units)) for make in (SharingPlan.hard, SharingPlan.independent)
    )
    others = [at for at in tree_plans(TASKS, len(cut.units)) if at not in (hard, alone)]
    chosen = [hard, alone, *random.Random(0).sample(others, options.plans)]
    networks = {
        str(plan): MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 0))
        for plan in chosen
    }
    for network in networks.values():
        resolve_placement("auto", device).network(network)
    precision = Precision(None)
    steps = {plan: plain_step(at.train(), batch, precision) for plan, at in networks.items()}
    times = {
        plan: statistics.median(found)
        for plan, found in timed(steps, options.repeats, 1, device).items()
    }
    flops = {plan: at.cost.flops for plan, at in networks.items()}
    first, last = str(hard), str(alone)
    print(f"{'plan':52}{'GFLOPs':>8}{'ms':>9}{'law ms':>9}{'off':>8}")
    off = []
    for plan in sorted(times, key=lambda plan: flops[plan]):
        share = (flops[plan] - flops[first]) / (flops[last] - flops[first])
        law = times[first] + (times[last] - times[first]) * share
        off.append(times[plan] / law - 1)
        print(f"{plan:52}{flops[plan] / 1e9:8.3f}{times[plan]:9.1f}{law:9.1f}{off[-1]:+8.1%}")
    print(f"largest deviation {max(map(abs, off)):.1%}")


if __name__ == "__main__":
    main()
