"""Long run: read many changed inputs and write those that fail to a folder."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.doors import DOORS
from tests.fuzz.run import run_door


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "doors", nargs="*", default=list(DOORS), help="kinds of input; default: all"
    )
    parser.add_argument("--examples", type=int, default=700, help="mutations of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder of the inputs that fail")
    arguments = parser.parse_args()
    for name in arguments.doors:
        start = time.monotonic()
        counts: Counter[str] = Counter()
        ends: Counter[str] = Counter()
        with TemporaryDirectory() as folder:
            for file, content, failure, end in run_door(
                DOORS[name], Path(folder), arguments.examples, arguments.seed
            ):
                ends[end] += 1
                if failure is None:
                    continue
                kind, text = failure
                counts[kind] += 1
                if arguments.out and counts[kind] <= 3:
                    arguments.out.mkdir(parents=True, exist_ok=True)
                    number = len(list(arguments.out.glob(f"{name}-*")))
                    target = arguments.out / f"{name}-{number:04d}-{file.replace('/', '_')}"
                    target.write_bytes(content)
                    target.with_name(target.name + ".txt").write_text(
                        f"{kind}\n{text}", errors="backslashreplace"
                    )
        seconds = time.monotonic() - start
        total = sum(ends.values())
        print(
            f"{name}: {total} in {seconds:.0f} s, {sum(counts.values())} failed {dict(ends)}",
            flush=True,
        )
        for kind, count in counts.most_common():
            print(f"    {count} {kind}", flush=True)


if __name__ == "__main__":
    main()
