"""A Ray cluster of two nodes on this machine, one of which can be killed.

``python -m tests.cli.ray_cluster`` prints its address and reads commands: ``kill`` ends the second
node with everything that it runs, and the end of the standard input ends the cluster.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

STORE_BYTES = 80_000_000
"""The smallest object store that Ray allows is 75 MB."""


def descendants(process: int) -> list[int]:
    """Return the processes that a process has started, and those that these have started."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        children.setdefault(int(fields[1]), []).append(int(file.parent.name))
    below = list(children.get(process, []))
    for child in below:
        below += children.get(child, [])
    return below


def main() -> None:
    # A short path, because it contains sockets.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        os.environ["RAY_TMPDIR"] = folder
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 2, "include_dashboard": False}
        cluster = Cluster(
            initialize_head=True, head_node_args={**head, "object_store_memory": STORE_BYTES}
        )
        node = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        print(cluster.address, flush=True)
        for line in sys.stdin:
            assert line == "kill\n"
            (raylet,) = node.all_processes["raylet"]
            for process in descendants(raylet.process.pid):
                os.kill(process, signal.SIGKILL)
            cluster.remove_node(node, allow_graceful=False)
            print("killed", flush=True)
        cluster.shutdown()


if __name__ == "__main__":
    main()
