"""The run directory: paths of all files of one search, and its lock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.errors import InfrastructureError, RunError
from mtlsearch.files import FileLock, LockHeldError

if TYPE_CHECKING:
    from mtlsearch.study._artifacts import BucketArtifacts


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths of the files in a run directory.

    ::

        RUN/run.yaml                          resolved run file
        RUN/study.journal                     Optuna study, unless `search.storage` is set
        RUN/study.name                        name of the study in `search.storage`
        RUN/environment.json                  versions and hardware of the search
        RUN/trials/0003/weights.safetensors   trained weights of a trial
        RUN/trials/0003/checkpoint.pt         checkpoint of a paused trial
        RUN/trials/0003/history.csv           losses and metrics of a trial per epoch
        RUN/affinity/                         task affinity, if it was measured
        RUN/kept.safetensors                  weights of the network in use, of an extension
        RUN/estimate.json                     estimate of all plans, if it was made
        RUN/merging.json                      metrics of merged networks, if they were measured
        RUN/seeds/2/trials/0003/record.json   the trial trained on seed 2, to confirm it
        RUN/long_training/NAME/trials/0003/   the trial trained for more epochs
        RUN/compressing/NAME/trials/0000/     a compression that has not finished

    Attributes:
        path: the folder, which may not exist yet.
        artifacts: a bucket with copies of weights, checkpoints and curves; None for files in the
            folder only. See :func:`with_artifacts`.
    """

    path: Path
    artifacts: BucketArtifacts | None = field(default=None, repr=False, compare=False)

    @property
    def config(self) -> Path:
        """Path of the resolved run file."""
        return self.path / "run.yaml"

    @property
    def journal(self) -> Path:
        """Path of the Optuna journal."""
        return self.path / "study.journal"

    @property
    def study_name(self) -> Path:
        """Path of the file with the study's name in a storage that several runs may use."""
        return self.path / "study.name"

    @property
    def environment(self) -> Path:
        """Path of the versions and the hardware on which the search ran."""
        return self.path / "environment.json"

    @property
    def affinity(self) -> Path:
        """Folder of the task affinity."""
        return self.path / "affinity"

    @property
    def merging(self) -> Path:
        """Path of the metrics of merged single-task networks."""
        return self.path / "merging.json"

    @property
    def estimate(self) -> Path:
        """Path of the estimate of all plans."""
        return self.path / "estimate.json"

    @property
    def kept_weights(self) -> Path:
        """Path of the weights of the network in use; that of the run in a folder inside of it."""
        name = "kept.safetensors"
        folders = (self.path, *self.path.absolute().parents[1:2])  # RUN/seeds/2
        return next(
            (path for folder in folders if (path := folder / name).is_file()), self.path / name
        )

    @property
    def seeds(self) -> Path:
        """Folder of the trainings on other seeds, one folder per seed."""
        return self.path / "seeds"

    @property
    def long_trainings(self) -> Path:
        """Folder of the long trainings, one folder per name."""
        return self.path / "long_training"

    def trial(self, number: int) -> Path:
        """Return the folder of a trial.

        Args:
            number: trial number, from 0.

        Returns:
            ``RUN/trials/NUMBER`` with at least four digits.
        """
        return self.path / "trials" / f"{number:04d}"

    def trial_numbers(self) -> list[int]:
        """Return the numbers of the trials that have a folder.

        Returns:
            Trial numbers, ascending.
        """
        folders = (self.path / "trials").glob("[0-9]*")
        return sorted(int(folder.name) for folder in folders if folder.name.isdecimal())

    def weights(self, number: int) -> Path:
        """Return the path of a trial's trained weights.

        Args:
            number: trial number, from 0.

        Returns:
            Path of a safetensors file.
        """
        return self.trial(number) / "weights.safetensors"

    def checkpoint(self, number: int, rank: int = 0) -> Path:
        """Return the path of the checkpoint from which a paused trial resumes.

        Args:
            number: trial number, from 0.
            rank: rank of the process, each of which writes one checkpoint.

        Returns:
            Path of a PyTorch file.
        """
        return self.trial(number) / (f"checkpoint-{rank}.pt" if rank else "checkpoint.pt")

    @property
    def has_checkpoints(self) -> bool:
        """Whether a checkpoint of any trial is on disk."""
        return any((self.path / "trials").glob("*/checkpoint*.pt"))

    def history(self, number: int) -> Path:
        """Return the path of a trial's losses and metrics per epoch.

        Args:
            number: trial number, from 0.

        Returns:
            Path of a CSV file.
        """
        return self.trial(number) / "history.csv"

    def check_artifacts(self) -> None:
        """Check that the bucket can be used; without effect if there is none.

        Raises:
            InfrastructureError: the bucket does not answer.
            RunError: boto3 or the credentials are missing, or the bucket does not exist.
        """
        if self.artifacts is not None:
            self.artifacts.check()

    def upload(self, file: Path) -> None:
        """Copy a file of a trial to the bucket; without effect if there is none.

        Args:
            file: a file in this folder.

        Raises:
            InfrastructureError: the bucket does not answer.
            RunError: the bucket refuses the file.
        """
        if self.artifacts is not None:
            self.artifacts.upload(file)

    def fetch(self, file: Path, *, is_replaced: bool = False) -> Path:
        """Copy a file of a trial from the bucket if it is not in this folder.

        Args:
            file: path in this folder.
            is_replaced: whether the file may be newer in the bucket, as a checkpoint that another
                host has written.

        Returns:
            ``file``, which does not exist if no host has written it.

        Raises:
            InfrastructureError: the bucket does not answer.
            RunError: the bucket refuses the request.
        """
        if self.artifacts is not None and (is_replaced or not file.is_file()):
            self.artifacts.download(file)
        return file

    def remove(self, file: Path) -> None:
        """Delete a file of a trial here and in the bucket, if it exists.

        Args:
            file: path in this folder.

        Raises:
            InfrastructureError: the bucket does not answer.
            RunError: the bucket refuses the request.
        """
        file.unlink(missing_ok=True)
        if self.artifacts is not None:
            self.artifacts.remove(file)

    def at_seed(self, seed: int) -> RunDirectory:
        """Return the directory of the trials that were trained on another seed.

        Args:
            seed: seed of weights, order and augmentation.

        Returns:
            ``RUN/seeds/SEED``.
        """
        return replace(self, path=self.seeds / str(seed))

    def long_training(self, name: str) -> RunDirectory:
        """Return the directory of a long training.

        Args:
            name: name of the long training.

        Returns:
            ``RUN/long_training/NAME``.
        """
        return replace(self, path=self.long_trainings / name)

    def short_trainings(self, epochs: int) -> RunDirectory:
        """Return the directory of short trainings with a schedule of their own.

        Args:
            epochs: their number of epochs.

        Returns:
            ``RUN/short_trainings/EPOCHS``.
        """
        return replace(self, path=self.path / "short_trainings" / str(epochs))

    def compressing(self, name: str) -> RunDirectory:
        """Return the directory of a compression that has not finished.

        Args:
            name: name of its settings.

        Returns:
            ``RUN/compressing/NAME``.
        """
        return RunDirectory(self.path / "compressing" / name)

    def require_not_deleted(self, number: int) -> None:
        """Check that the run directory of a search exists while it trains a trial.

        Args:
            number: the trial, whose folder is removed if it was created again.

        Raises:
            InfrastructureError: the run directory was deleted.
        """
        if not self.config.is_file():
            shutil.rmtree(self.trial(number), ignore_errors=True)
            raise InfrastructureError(
                "the run directory was deleted during the search",
                where=str(self.path),
                next_step="restore it, or run the same command to start again",
            )

    def require(self) -> None:
        """Check that the folder is a run directory with a study.

        Raises:
            RunError: it is not, or a part is missing; run directories directly below it are listed.
        """
        if not (self.config.is_file() and self._has_study):
            raise self._missing()

    def _missing(self) -> RunError:
        if self.path.is_file():
            return RunError(
                "path is a file, not a run directory",
                where=str(self.path),
                next_step="pass the folder that `mtlsearch search` writes to (its --out)",
            )
        if self._has_study:
            return RunError(
                "run.yaml is missing in this run directory",
                where=str(self.config),
                next_step="restore run.yaml",
            )
        if self.config.is_file():
            return self._missing_study()
        folders = (file.parent for file in self.path.glob(f"*/{self.config.name}"))
        below = sorted(str(folder) for folder in folders if RunDirectory(folder)._has_study)
        next_step = f"run `mtlsearch search RUN.yaml --out {self.path}` to create one"
        return RunError(
            "not a run directory" + (", but folders below it are" if below else ""),
            where=str(self.path),
            allowed=below,
            next_step=None if below else next_step,
        )

    def _missing_study(self) -> RunError:
        if numbers := self.trial_numbers():
            return RunError(
                f"{self.journal.name} is missing, but the run directory contains "
                f"{len(numbers)} trial folder{'s' if len(numbers) > 1 else ''}",
                where=str(self.path),
                next_step=f"restore {self.journal.name} ({self.study_name.name} if "
                "`search.storage` is set)",
            )
        return RunError(
            "the folder contains a run file but no search",
            where=str(self.path),
            next_step=f"run `mtlsearch search {self.config}` and pass its run directory, such as "
            f"{Path('results') / self.path.resolve().name}",
        )

    @property
    def _has_study(self) -> bool:
        return self.journal.is_file() or self.study_name.is_file()

    @property
    def in_use(self) -> bool:
        """Whether a process holds the lock of this run directory."""
        return self._lock.is_held

    @property
    def owner_file(self) -> Path:
        """Path of the file with the process id of the search that holds the lock."""
        return self._lock.owner_path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the run directory; create the folder if it does not exist.

        The operating system frees the lock when the process ends, even after ``kill -9``. A
        folder that was created here is removed again if no file was written to it.

        Yields:
            None, while the lock is held.

        Raises:
            OSError: the folder is not writable.
            RunError: another process holds the lock.
        """
        created = self._missing_folders()
        lock = self._acquired()
        try:
            yield
        finally:
            if created:
                self._remove_unused(created)
            lock.release()

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Wait for other processes that open this run directory; create it if necessary.

        A folder that was created here is removed again if no file was written to it.

        Yields:
            None, while no other process is here.

        Raises:
            OSError: the folder is not writable.
        """
        created = self._missing_folders()
        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self._setup_lock):
            try:
                yield
            finally:
                if created:
                    self._remove_unused(created)

    def _acquired(self) -> FileLock:
        lock = self._lock
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except LockHeldError as error:
            raise RunError(
                f"another search uses this run directory: process {error.owner or 'unknown'}",
                where=str(self.path),
                next_step="wait until it ends, stop it, set --out to another folder, or join it "
                "with `mtlsearch worker`",
            ) from error
        return lock

    def _missing_folders(self) -> list[Path]:
        """Return the run directory and its parents, from the inside, without those that exist."""
        path = self.path.absolute()
        return [folder for folder in (path, *path.parents) if not folder.exists()]

    def _remove_unused(self, created: Sequence[Path]) -> None:
        """Remove folders that were created, if no file but locks was written to them."""
        lock_files = {self._lock.path, self._lock.owner_path, self._setup_lock}
        if lock_files >= set(self.path.glob("*")):
            with suppress(OSError):  # Windows removes no file that is open.
                for file in lock_files:
                    file.unlink(missing_ok=True)
                for folder in created:
                    folder.rmdir()

    @property
    def _setup_lock(self) -> Path:
        return self.path / ".setup.lock"

    @property
    def _lock(self) -> FileLock:
        return FileLock(self.path / ".lock", blocking=False)
