"""Weights, checkpoints and curves in a bucket, read and continued by other hosts."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtlsearch.config import load_run
from mtlsearch.errors import InfrastructureError, RunError
from mtlsearch.study import RunDirectory
from mtlsearch.study import _artifacts as artifacts
from mtlsearch.study import _storage as storage
from mtlsearch.study._artifacts import BucketArtifacts
from tests.cli.commands.test_search import measured
from tests.cli.commands.test_worker import KILLING
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call
from tests.cli.program import run as run_process
from tests.study.bucket import BUCKET, bucket_server, keys

URL = f"s3://{BUCKET}/team"


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    with bucket_server() as url:
        yield url


def host(
    folder: Path, name: str = "study-1", url: str = URL, digest: str = "0d16e571"
) -> RunDirectory:
    """Return the run directory of a host that takes part in a study."""
    folder.mkdir(exist_ok=True)
    (folder / "study.name").write_text(name)
    return RunDirectory(folder, BucketArtifacts(url, folder, folder / "study.name", digest))


def test_fetch_returns_what_another_host_uploaded(tmp_path: Path) -> None:
    first, second = host(tmp_path / "a"), host(tmp_path / "b")
    weights = first.weights(3)
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    first.upload(weights)
    assert keys() == ["team/study-1/0d16e571/trials/0003/weights.safetensors"]
    assert second.fetch(second.weights(3)).read_bytes() == b"weights"
    assert not second.fetch(second.weights(4)).exists()
    other = host(tmp_path / "c", "study-2")
    assert not other.fetch(other.weights(3)).exists()
    changed = host(tmp_path / "d", digest="ffffffff")
    assert not changed.fetch(changed.weights(3)).exists()

    weights.write_bytes(b"newer")
    first.upload(weights)
    assert second.fetch(second.weights(3)).read_bytes() == b"weights"
    assert second.fetch(second.weights(3), is_replaced=True).read_bytes() == b"newer"
    second.remove(second.weights(3))
    assert keys() == []
    assert not second.weights(3).exists()
    second.remove(second.weights(3))


def test_a_second_removal_sends_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = host(tmp_path)
    run.remove(run.weights(3))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.delattr(artifacts.BucketArtifacts, "_store")
    run.remove(run.weights(3))


def test_endpoint_without_scheme_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost:9000")
    with pytest.raises(RunError, match="localhost:9000") as error:
        host(tmp_path).check_artifacts()
    assert "AWS_ENDPOINT_URL_S3" in str(error.value)


def test_study_without_a_name_gets_one(tmp_path: Path) -> None:
    run = RunDirectory(
        tmp_path, BucketArtifacts(f"s3://{BUCKET}", tmp_path, tmp_path / "study.name", "0d16e571")
    )
    seed = run.at_seed(2).checkpoint(3)
    seed.parent.mkdir(parents=True)
    seed.write_bytes(b"checkpoint")
    run.at_seed(2).upload(seed)
    name = (tmp_path / "artifacts.name").read_text()
    assert name.startswith(f"{tmp_path.name}-")
    assert keys() == [f"{name}/0d16e571/seeds/2/trials/0003/checkpoint.pt"]
    run.remove(seed)


def test_weights_of_a_network_in_use_need_no_name_of_the_study(tmp_path: Path) -> None:
    """They are written before the study exists, and read before it is opened."""
    first, second = (
        RunDirectory(folder, BucketArtifacts(URL, folder, folder / "study.name", "0d16e571"))
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    first.path.mkdir()
    first.kept_weights.write_bytes(b"weights")
    first.upload(first.kept_weights)
    assert keys() == ["team/0d16e571/kept.safetensors"]
    second.path.mkdir()
    (second.path / "study.name").write_text("study-1")
    assert second.fetch(second.kept_weights).read_bytes() == b"weights"
    second.remove(second.kept_weights)


def test_missing_bucket_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="'nowhere' of the artifacts does not exist") as error:
        host(tmp_path, url="s3://nowhere").check_artifacts()
    assert "AWS_ENDPOINT_URL_S3" in str(error.value)
    host(tmp_path).check_artifacts()


def test_missing_credentials_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(RunError, match="needs credentials") as error:
        host(tmp_path).check_artifacts()
    assert "AWS_SECRET_ACCESS_KEY" in str(error.value)


def test_bucket_without_answer_is_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "NUM_TRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(InfrastructureError, match="does not answer"):
        host(tmp_path).check_artifacts()


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "find_spec", lambda name: None)
    with pytest.raises(RunError, match="boto3") as error:
        host(tmp_path).check_artifacts()
    assert "mtlsearch[s3]" in str(error.value)


@pytest.mark.parametrize("value", ["networks", "http://networks", "s3://"])
def test_invalid_url_names_the_key(tmp_path: Path, value: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE)
    result = call("check", file, "--set", f"search.artifacts={value}")
    assert result.returncode == 2
    assert "search.artifacts" in result.stderr
    assert "s3://BUCKET" in result.stderr


@pytest.mark.slow
def test_another_host_continues_a_killed_trial(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE.replace("epochs: 1", "epochs: 3"))
    first, second = tmp_path / "a", tmp_path / "b"
    study = ("--storage", f"sqlite:///{tmp_path}/shared.db", "--study", "shared")
    options = ("--trials", "2", "--device", "cpu", "--set", f"search.artifacts={URL}")
    killing = KILLING.replace("import _search\n", "import _worker as _search\n")
    killed = run_process("worker", file, "--out", first, *study, *options, prelude=killing)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    prefix = f"team/shared/{load_run(file).config.settings_digest}/trials"
    assert f"{prefix}/0001/checkpoint.pt" in keys()
    weights = RunDirectory(first).weights(0).read_bytes()
    whole = tmp_path / "whole"
    assert call("search", file, "--out", whole, "--trials", "2", "--device", "cpu").returncode == 0

    shutil.rmtree(first)  # the host is lost
    lost_at_once = "from mtlsearch.study import _worker; _worker.DEAD_SECONDS = 0.5\n"
    result = run_process(
        *("worker", file, "--out", second, *study, *options, "-v"), prelude=lost_at_once
    )
    assert result.returncode == 0, result.stderr
    epochs = [line.strip() for line in result.stderr.splitlines() if line.startswith("  epoch ")]
    assert [epoch.partition("  ")[0] for epoch in epochs] == ["epoch 3 of 3"]
    assert measured(records_of(second)) == measured(records_of(whole))
    assert keys() == [
        f"{prefix}/{number:04d}/{name}"
        for number in (0, 2)
        for name in ("history.csv", "weights.safetensors")
    ]
    assert not RunDirectory(second).weights(0).exists()
    exported = call("export", second, "--trial", "0", "--out", tmp_path / "bundle")
    assert exported.returncode == 0, exported.stderr
    assert RunDirectory(second).weights(0).read_bytes() == weights
