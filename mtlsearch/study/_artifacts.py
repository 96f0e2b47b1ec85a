"""Weights, checkpoints and curves of a run in a bucket, by Optuna's artifact store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mtlsearch.errors import InfrastructureError, RunError
from mtlsearch.files import atomic_write
from mtlsearch.study._storage import require_artifacts

if TYPE_CHECKING:
    from optuna.artifacts import Boto3ArtifactStore

NUM_TRIES = 8
"""Tries of a request before it counts as failed, with growing pauses between them."""

REFUSED = {
    "403",
    "AccessDenied",
    "ExpiredToken",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
MISSING = {"404", "NoSuchBucket"}


class BucketArtifacts:
    """Copies of the files of a run directory in an S3-compatible bucket.

    The key of a file is the prefix of the URL, the name of the study, a digest of the settings and
    the path in the run directory. So all hosts find the files of a trial by its number, and a
    later study of the same name with other settings finds none of them. Optuna's own random names
    would need a second list of artifacts in the study, which cannot forget deleted ones. A file
    that is in no folder of the run directory, as the weights of the network in use, has no name of
    the study in its key: it is read before the study is opened.

    Args:
        url: ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``.
        root: run directory.
        name_file: file with the name of the study in its storage; it may not exist yet. Without
            it, as with a journal, a random name is written to ``artifacts.name``.
        digest: digest of the settings that determine a training.
    """

    def __init__(self, url: str, root: Path, name_file: Path, digest: str) -> None:
        self.url = url
        self._root = root
        self._name_file = name_file
        self._digest = digest
        self._removed: set[str] = set()
        self._bucket, _, self._prefix = url.removeprefix("s3://").partition("/")

    def check(self) -> None:
        """Check that the bucket exists and that the credentials open it.

        Raises:
            RunError: boto3 or the credentials are missing, or the bucket cannot be used.
            InfrastructureError: the host of the bucket does not answer.
        """
        with self._translated_errors():
            self._store.client.head_bucket(Bucket=self._bucket)

    def upload(self, file: Path) -> None:
        """Write a file of the run directory to the bucket.

        Args:
            file: an existing file.

        Raises:
            InfrastructureError: the bucket does not answer.
            RunError: the bucket refuses the file.
        """
        with self._translated_errors(), file.open("rb") as content:
            self._store.write(self._key(file), content)
        self._removed.discard(self._key(file))

    def download(self, file: Path) -> bool:
        """Write a file of the bucket to the run directory, atomically.

        Args:
            file: path in the run directory.

        Returns:
            Whether the bucket has the file; otherwise nothing is written.

        Raises:
            InfrastructureError: the bucket does not answer.
            RunError: the bucket refuses the request.
        """
        from optuna.artifacts.exceptions import ArtifactNotFound

        with self._translated_errors():
            try:
                reader = self._store.open_reader(self._key(file))
            except ArtifactNotFound:
                return False
            with reader, atomic_write(file) as temporary, temporary.open("wb") as content:
                shutil.copyfileobj(reader, content)
        return True

    def remove(self, file: Path) -> None:
        """Delete a file in the bucket, if it exists. A second call sends no request.

        Args:
            file: path in the run directory.

        Raises:
            InfrastructureError: the bucket does not answer.
            RunError: the bucket refuses the request.
        """
        key = self._key(file)
        if key in self._removed:
            return
        with self._translated_errors():
            self._store.remove(key)
        self._removed.add(key)

    def _key(self, file: Path) -> str:
        path = file.relative_to(self._root).as_posix()
        name = self._name if "/" in path else ""
        parts = (self._prefix.strip("/"), name, self._digest, path)
        return "/".join(part for part in parts if part)

    @cached_property
    def _name(self) -> str:
        """Name of the study, by which several runs share a bucket."""
        if self._name_file.is_file():
            return self._name_file.read_text(encoding="utf-8")
        file = self._root / "artifacts.name"
        name = f"{self._root.resolve().name}-{uuid4().hex[:8]}"
        complete = file.with_name(f"artifacts.{name}")
        complete.write_text(name, encoding="utf-8")
        try:
            file.hardlink_to(complete)  # readers never see a part of it
        except FileExistsError:
            pass  # written by an earlier search or another worker
        finally:
            complete.unlink()
        return file.read_text(encoding="utf-8")

    @cached_property
    def _store(self) -> Boto3ArtifactStore:
        import boto3
        from botocore.config import Config
        from optuna.artifacts import Boto3ArtifactStore

        retries = Config(retries={"mode": "standard", "total_max_attempts": NUM_TRIES})
        try:
            client = boto3.session.Session().client("s3", config=retries)
        except ValueError as error:  # of an endpoint without a scheme
            raise RunError(
                f"the bucket of the artifacts cannot be opened: {error}",
                where=f"search.artifacts: {self.url}",
                next_step="set AWS_ENDPOINT_URL_S3 to a URL such as http://localhost:9000",
            ) from error
        # The file is ours to be closed, so that it is not copied to memory first.
        return Boto3ArtifactStore(self._bucket, client, avoid_buf_copy=True)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        require_artifacts(self.url)
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
            ProfileNotFound,
        )

        try:
            yield
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
            raise RunError(
                f"the bucket of the artifacts needs credentials: {str(error).lower()}",
                where=f"search.artifacts: {self.url}",
                next_step="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, on "
                "each machine",
            ) from error
        except (ClientError, Boto3Error, BotoCoreError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> RunError | InfrastructureError:
        where = f"search.artifacts: {self.url}"
        cause = error if hasattr(error, "response") else error.__context__ or error
        code = str(getattr(cause, "response", {}).get("Error", {}).get("Code", ""))
        if code in MISSING:
            return RunError(
                f"the bucket {self._bucket!r} of the artifacts does not exist",
                where=where,
                next_step="create it, or set AWS_ENDPOINT_URL_S3 to the service that has it",
            )
        if code in REFUSED:
            return RunError(
                f"the credentials do not open the bucket {self._bucket!r} of the artifacts "
                f"({code})",
                where=where,
                next_step="allow them to list the bucket and to read, write and delete objects, or "
                "use others",
            )
        return InfrastructureError(
            f"the bucket of the artifacts does not answer: {' '.join(str(error).split())}",
            where=where,
            next_step="run the same command to resume when it works again",
        )
