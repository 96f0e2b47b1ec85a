"""Time of training steps by the waiting policy of OpenMP, alone and beside busy programs.

Run ``python benchmarks/threads.py`` (minutes). The threads of torch wait for each other at the end
of each operator. By default they spin: they test a number until it changes. If other programs use
the cores, a thread spins on the core that the thread it waits for would need. The variants are
environment variables, which OpenMP reads once, so each variant is a process of its own. All of
them are started first. Then they train in turn, a few steps each, in random order, so that what
else the machine does affects all of them. Ratios are those of a turn to the first variant.

``busy`` is the number of programs that only count, started and ended by this benchmark, beside
which a step is measured. Further programs on the machine cannot be excluded: with 0, ``alone``
means nothing but them. Processor seconds contain spinning and depend less on them.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

VARIANTS = ("default", "chosen", "passive", "spin=1000", "spin=10000", "spin=100000")
"""``default`` is torch without variables, ``chosen`` what ``import mtlsearch`` sets, ``passive`` no
spinning at all, and ``spin=N`` N tests of the number before a thread sleeps."""

POLICY_NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def variables_of(variant: str) -> dict[str, str]:
    """Return the environment variables of a variant."""
    if variant == "passive":
        return {"OMP_WAIT_POLICY": "PASSIVE"}
    name, _, count = variant.partition("=")
    return {"GOMP_SPINCOUNT": count} if name == "spin" else {}


@dataclass(frozen=True)
class Times:
    """Seconds of one step.

    Attributes:
        wall: elapsed seconds.
        processor: seconds of all threads on a core.
    """

    wall: float
    processor: float


class Training:
    """Process that trains a network with a waiting policy when it is asked to."""

    def __init__(self, network: str, variant: str, options: argparse.Namespace) -> None:
        environment = {name: os.environ[name] for name in os.environ if name not in POLICY_NAMES}
        environment |= variables_of(variant) | {"OMP_NUM_THREADS": str(options.threads)}
        self._process = subprocess.Popen(
            [
                *(sys.executable, __file__, "--train", network, "--size", str(options.size)),
                *(["--chosen"] if variant == "chosen" else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def steps(self, count: int) -> Times:
        """Train some steps and return the mean times of one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(count, file=self._process.stdin, flush=True)
        wall, processor = map(float, self._process.stdout.readline().split())
        return Times(wall / count, processor / count)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def train(network: str, size: int, *, is_chosen: bool) -> None:
    """Train as many steps as each line of the input requests, and print the times."""
    if is_chosen:
        import mtlsearch as mtlsearch  # before torch
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(network, num_classes=10).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.randn(8, 3, size, size), torch.arange(8)
    for line in sys.stdin:
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        for _ in range(int(line)):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(wall, processor, flush=True)


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """Run programs that use one core each."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def compare(network: str, busy: int, options: argparse.Namespace) -> dict[str, list[Times]]:
    """Return the times of each variant, one per turn."""
    times: dict[str, list[Times]] = {variant: [] for variant in options.variants}
    with ExitStack() as stack:
        trainings = {}
        for variant in options.variants:
            trainings[variant] = Training(network, variant, options)
            stack.callback(trainings[variant].close)
        for training in trainings.values():
            training.steps(2)
        stack.enter_context(busy_programs(busy))
        rng = random.Random(0)
        for _ in range(options.turns):
            for variant in rng.sample(options.variants, len(options.variants)):
                times[variant].append(trainings[variant].steps(options.steps))
    return times


def report(network: str, busy: int, times: dict[str, list[Times]]) -> None:
    """Print medians, and the median of the ratios to the first variant."""
    first = next(iter(times.values()))
    for variant, of_variant in times.items():
        wall = 1000 * statistics.median(item.wall for item in of_variant)
        processor = 1000 * statistics.median(item.processor for item in of_variant)
        ratio = statistics.median(
            item.wall / other.wall for item, other in zip(of_variant, first, strict=True)
        )
        slowest = 1000 * max(item.wall for item in of_variant)
        print(
            f"{network:16}{busy:5}  {variant:14}{wall:9.1f}{slowest:11.1f}{processor:14.1f}"
            f"{ratio:8.2f}",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["test_resnet", "resnet18"])
    parser.add_argument("--busy", type=int, nargs="+", default=[0, os.cpu_count() or 1])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    parser.add_argument("--size", type=int, default=96, help="pixels along one side")
    parser.add_argument("--steps", type=int, default=4, help="steps per turn")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--train", metavar="NETWORK", help=argparse.SUPPRESS)
    parser.add_argument("--chosen", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.train:
        train(options.train, options.size, is_chosen=options.chosen)
        return
    print(f"{os.cpu_count()} cores, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    print(
        f"{'network':16}{'busy':>5}  {'variant':14}{'wall ms':>9}{'slowest ms':>11}"
        f"{'processor ms':>14}{'ratio':>8}"
    )
    for network in options.networks:
        for busy in options.busy:
            report(network, busy, compare(network, busy, options))


if __name__ == "__main__":
    main()
