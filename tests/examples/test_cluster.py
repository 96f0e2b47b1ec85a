"""Files for clusters: their syntax, their calls of mtlsearch, and what ``slurm.sh`` does."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from mtlsearch.cli._app import app
from mtlsearch.cli._errors import BUG, FAILURE, TRY_AGAIN, WRONG_INPUT
from mtlsearch.config import STORAGE_PASSWORD
from tests.pages import ROOT

FOLDER = ROOT / "examples" / "cluster"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
BASH = shutil.which("bash") or ""
needs_bash = pytest.mark.skipif(not BASH, reason="the scripts are for bash")


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], tuple[str, dict[str, Any]]]:
    """Return a function that returns the command and its options, without running it."""
    parsed: list[tuple[str, dict[str, Any]]] = []

    def record(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def replacement(ctx: typer.Context, **options: Any) -> None:
            parsed.append((command.__name__, options))

        return replacement

    def parse_arguments(arguments: list[str]) -> tuple[str, dict[str, Any]]:
        app(args=arguments, standalone_mode=False)
        return parsed.pop()

    monkeypatch.setattr("mtlsearch.cli._app.handle_errors", record)
    return parse_arguments


def run_script(
    script: str, arguments: list[str], folder: Path, **environment: str
) -> tuple[int, list[list[str]]]:
    """Run a script with programs that write their arguments; return exit code and calls.

    ``mtlsearch`` ends with ``CODE``, and ``srun`` runs its arguments.
    """
    programs = {
        "mtlsearch": 'exit "${CODE:-0}"',
        "srun": 'exec "$@"',
        "scontrol": "",
        "ray": "",
    }
    calls = folder / "calls"
    for name, action in programs.items():
        file = folder / name
        file.write_text(
            f'#!{BASH}\nprintf "%s\\t" {name} "$@" >> {calls}; echo >> {calls}\n{action}'
        )
        file.chmod(0o755)
    process = subprocess.run(
        [BASH, str(FOLDER / script), *arguments],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    lines = calls.read_text().splitlines() if calls.exists() else []
    return process.returncode, [line.split("\t")[:-1] for line in lines]


@needs_bash
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_script_has_a_valid_syntax(script: Path) -> None:
    subprocess.run([BASH, "-n", str(script)], check=True, timeout=60)
    assert os.access(script, os.X_OK)


@needs_bash
class TestSlurm:
    TASK = {  # noqa: RUF012
        "RUN_FILE": "/shared/run.yaml", "RUN": "/shared/run",
        "SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "3",
    }  # fmt: skip

    def test_task_is_one_worker(self, tmp_path: Path, parse: Any) -> None:
        code, calls = run_script("slurm.sh", [], tmp_path, **self.TASK)
        assert code == 0
        srun, (program, *arguments) = calls
        assert srun == ["srun", program, *arguments]
        assert program == "mtlsearch"
        name, options = parse(arguments)
        assert name == "worker"
        assert (options["file"], options["out"]) == (Path("/shared/run.yaml"), Path("/shared/run"))

    @pytest.mark.parametrize("code", [75, 130, 137])
    def test_interrupted_task_is_queued_again(self, code: int, tmp_path: Path) -> None:
        _, calls = run_script("slurm.sh", [], tmp_path, CODE=str(code), **self.TASK)
        assert calls[2:] == [["scontrol", "requeue", "17_3"]]

    @pytest.mark.parametrize(("code", "restarts"), [(1, "0"), (2, "0"), (70, "0"), (75, "20")])
    def test_other_tasks_end(self, code: int, restarts: str, tmp_path: Path) -> None:
        environment = {**self.TASK, "CODE": str(code), "SLURM_RESTART_COUNT": restarts}
        ended_with, calls = run_script("slurm.sh", [], tmp_path, **environment)
        assert ended_with == code
        assert len(calls) == 2

    def test_task_without_a_run_file_ends(self, tmp_path: Path) -> None:
        code, calls = run_script("slurm.sh", [], tmp_path, RUN="/shared/run")
        assert code != 0
        assert calls == []


@needs_bash
class TestRay:
    def test_search_uses_the_cluster(self, tmp_path: Path, parse: Any) -> None:
        arguments = ["search", "run.yaml", "out", "--set", "train.epochs=3"]
        code, ((program, *called),) = run_script("ray.sh", arguments, tmp_path)
        assert (code, program) == (0, "mtlsearch")
        name, options = parse(called)
        assert name == "search"
        assert options["executor"] == "ray"
        assert options["overrides"] == ["train.epochs=3"]

    @pytest.mark.parametrize("arguments", [["head"], ["join", "head:6379"], ["leave"]])
    def test_machines_join_and_leave(self, arguments: list[str], tmp_path: Path) -> None:
        from ray.scripts.scripts import cli

        code, ((program, command, *options),) = run_script("ray.sh", arguments, tmp_path)
        assert (code, program) == (0, "ray")
        cli.commands[command].make_context(command, options)

    @pytest.mark.parametrize("arguments", [[], ["join"], ["search", "run.yaml"], ["stop"]])
    def test_wrong_arguments_are_refused(self, arguments: list[str], tmp_path: Path) -> None:
        code, calls = run_script("ray.sh", arguments, tmp_path)
        assert code != 0
        assert calls == []


class TestKubernetes:
    @pytest.fixture
    def job(self) -> Any:
        return YAML(typ="safe").load(FOLDER / "kubernetes.yaml")

    def test_pod_is_one_worker(self, job: Any, parse: Any) -> None:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        program, *arguments = container["command"]
        assert program == "mtlsearch"
        name, options = parse(arguments)
        assert name == "worker"
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert options["file"].is_relative_to(mounts["shared"])
        assert options["out"].is_relative_to(mounts["shared"])
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
        assert STORAGE_PASSWORD in {variable["name"] for variable in container["env"]}

    def test_volumes_of_the_pod_are_defined(self, job: Any) -> None:
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}

    def test_pods_are_replaced_unless_no_try_helps(self, job: Any) -> None:
        spec = job["spec"]
        assert spec["completions"] == spec["parallelism"]
        assert spec["template"]["spec"]["restartPolicy"] == "Never"  # the policy requires it
        ignored, failed = spec["podFailurePolicy"]["rules"]
        assert ignored["action"] == "Ignore"
        assert failed["action"] == "FailJob"
        codes = failed["onExitCodes"]
        assert codes["containerName"] == spec["template"]["spec"]["containers"][0]["name"]
        assert codes["values"] == [FAILURE, WRONG_INPUT, BUG]
        assert TRY_AGAIN not in codes["values"]
