"""Search on a Ray cluster of two nodes, one of which is killed amid a trial."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtlsearch.cli._node_process import (
    Kind,
    Message,
    NodeProcess,
    WorkerRequest,
    _interrupts_unblocked,
)
from tests.cli.conftest import records_of
from tests.cli.program import call, run

RUN_FILE = """\
seed: 1
data:
  sources: {kind: scenes, train: 32, val: 8, image_size: 32}
  image_size: 32
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation}
backbone: {name: test_resnet}
train: {epochs: 10, batch_size: 8, learning_rate: 0.003}
search: {space: tree, trials: 5}
"""


ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 32}
"""Ray's own settings: the token of the user's clusters is neither read nor written."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    return tmp_path / "run.yaml"


def read_and_kill(search: subprocess.Popen[str], nodes: subprocess.Popen[str]) -> str:
    """Kill the second node when both workers train; return what the search prints."""
    assert search.stderr is not None
    assert nodes.stdin is not None
    assert nodes.stdout is not None
    lines: list[str] = []
    num_started = 0
    for line in search.stderr:
        lines.append(line)
        is_start = re.match(r"trial \d+: ", line) is not None
        num_started += is_start
        if is_start and num_started == 2:
            nodes.stdin.write("kill\n")
            nodes.stdin.flush()
            assert nodes.stdout.readline() == "killed\n"
    return "".join(lines)


class TestCluster:
    """Two nodes on this machine, of two cores and of one."""

    @pytest.fixture
    def cluster(self) -> Iterator[tuple[str, subprocess.Popen[str]]]:
        """Return the address of a cluster, and the process that kills its second node."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.ray_cluster"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **ENVIRONMENT},
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            yield process.stdout.readline().strip(), process
            process.stdin.close()
            process.wait(timeout=120)

    @pytest.mark.slow
    def test_killed_node_loses_no_trial(
        self, cluster: tuple[str, subprocess.Popen[str]], file: Path
    ) -> None:
        address, nodes = cluster
        out = file.parent / "run"
        command = [sys.executable, "-m", "mtlsearch.cli", "search", str(file), "--out", str(out)]
        options = ["--executor", "ray", "--address", address, "--workers", "2", "--verbose"]
        search = subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **ENVIRONMENT},
        )  # fmt: skip
        try:
            text = read_and_kill(search, nodes)
            assert search.stdout is not None
            assert search.stdout.read() == f"{out}\n"  # messages of Ray are not results
            assert search.wait(timeout=60) == 0, text
        finally:
            search.kill()
            search.communicate()
        assert "2 workers on a Ray cluster, 1 CPU core each" in text
        assert " starts again, its trial continues: its node or its Ray process was lost" in text
        records = records_of(out)
        complete = [record for record in records if record.state == "complete"]
        assert len(complete) == len({record.candidate.digest for record in complete}) == 5
        assert {record.state for record in records} <= {"complete", "interrupted"}
        assert list(out.glob(".worker-*")) == []  # of dead workers


def read_all(process: NodeProcess) -> list[Message]:
    """Return the messages of a process until its end."""
    messages: list[Message] = []
    while not messages or messages[-1].kind not in (Kind.ENDED, Kind.REFUSED):
        messages += process.read(60)
    return messages


def request(file: Path, *arguments: str) -> WorkerRequest:
    shared = file.parent / "owner"
    shared.write_text("17")
    return WorkerRequest(arguments, {}, file.parent, file, shared, shared_text="17")


class TestNodeProcess:
    """A worker's process on its node."""

    def test_output_and_end_are_reported(self, file: Path) -> None:
        placed, line, end = read_all(NodeProcess(request(file, "--version")))
        assert placed.kind is Kind.PLACED
        assert placed.text
        assert line.kind is Kind.LINE
        assert line.text.startswith("mtlsearch ")
        assert end == Message(Kind.ENDED, code=0)

    def test_errors_are_reported_with_their_code(self, file: Path) -> None:
        _, *lines, end = read_all(NodeProcess(request(file, "no-such-command")))
        assert {line.kind for line in lines} == {Kind.ERROR_LINE}
        assert "unknown command" in lines[0].text
        assert end == Message(Kind.ENDED, code=2)

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"version": "0.0.1"}, "and that of the search is 0.0.1"),
            ({"file": Path("/missing/run.yaml")}, "the run file /missing/run.yaml does not exist"),
            ({"shared_text": "18"}, "is not shared with it"),
        ],
    )
    def test_unfit_node_refuses_the_worker(
        self,
        changed: dict[str, Any],
        reason: str,
        file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("mtlsearch.cli._node_process.SHARED_SECONDS", 0.0)
        unfit = replace(request(file, "--version"), **changed)
        _, refused = read_all(NodeProcess(unfit))
        assert refused.kind is Kind.REFUSED
        assert reason in refused.text

    @pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="POSIX only")
    def test_process_receives_interrupts_that_ray_blocks(self) -> None:
        code = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _interrupts_unblocked():
                output = subprocess.check_output([sys.executable, "-c", code], text=True)
            assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        assert "SIGINT" not in output


MISSING_RAY = "import sys; sys.modules['ray'] = None\n"


class TestErrors:
    """What is wrong before a worker starts."""

    def test_missing_ray_names_the_extra(self, file: Path) -> None:
        result = run("search", file, "--executor", "ray", prelude=MISSING_RAY)
        assert result.returncode == 1
        assert "pip install 'mtlsearch[ray]'" in result.stderr

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            (["--address", "head:6379"], "add `--executor ray`"),
            (["--executor", "ray", "--address", "ray://head:10001"], "not supported"),
        ],
    )
    def test_wrong_address_is_refused(self, options: list[str], text: str, file: Path) -> None:
        result = call("search", file, *options)
        assert result.returncode == 2
        assert text in result.stderr

    def test_address_without_a_cluster_is_refused(self, file: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        options = ["--executor", "ray", "--address", f"127.0.0.1:{port}"]
        result = call("search", file, "--out", file.parent / "run", *options)
        assert result.returncode == 1
        assert "no Ray cluster answers: Connection refused" in result.stderr
        assert not (file.parent / "run").exists()
