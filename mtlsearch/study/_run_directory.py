"""The folder a search lives in."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mtlsearch.errors import RunError


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Names of what lies in a run directory.

    ::

        RUN/run.yaml                          the resolved run file
        RUN/study.journal                     the Optuna study, unless a storage URL keeps it
        RUN/study.name                        the study's name in that storage
        RUN/trials/0003/weights.safetensors   a trial's network
        RUN/trials/0003/checkpoint.pt         what it goes on from, if it was stopped early
        RUN/trials/0003/history.csv           its losses and metrics, epoch by epoch
        RUN/affinity/                         task affinity, where it was measured
        RUN/seeds/2/trials/0003/record.json   the trial trained again on seed 2, to confirm it
        RUN/long_training/NAME/trials/0003/...      the trial trained at length, with its weights
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved run file."""
        return self.path / "run.yaml"

    @property
    def journal(self) -> Path:
        """The Optuna journal."""
        return self.path / "study.journal"

    @property
    def study_name(self) -> Path:
        """The name of the study in a storage that others may use as well."""
        return self.path / "study.name"

    @property
    def affinity(self) -> Path:
        """The folder of the task affinity."""
        return self.path / "affinity"

    def trial(self, number: int) -> Path:
        """A trial's own folder."""
        return self.path / "trials" / f"{number:04d}"

    def trial_numbers(self) -> list[int]:
        """Numbers of the trials that have a folder."""
        folders = (self.path / "trials").glob("[0-9]*")
        return sorted(int(folder.name) for folder in folders if folder.name.isdecimal())

    def weights(self, number: int) -> Path:
        """A trial's trained weights."""
        return self.trial(number) / "weights.safetensors"

    def checkpoint(self, number: int, rank: int = 0) -> Path:
        """What a trial that was stopped early goes on from; a file a process."""
        return self.trial(number) / (f"checkpoint-{rank}.pt" if rank else "checkpoint.pt")

    def history(self, number: int) -> Path:
        """A trial's epochs."""
        return self.trial(number) / "history.csv"

    def at_seed(self, seed: int) -> RunDirectory:
        """What was trained again on another seed, to confirm it."""
        return RunDirectory(self.path / "seeds" / str(seed))

    def long_training(self, name: str) -> RunDirectory:
        """A trial that was trained at length."""
        return RunDirectory(self.path / "long_training" / name)

    def require(self) -> None:
        """Be sure that a search was run here.

        Raises:
            RunError: there is no run in this folder; those below it are named.
        """
        if not self.config.is_file():
            raise self._no_run()

    def _no_run(self) -> RunError:
        """Why there is none, and where one may be."""
        if self.path.is_file():
            return RunError(
                "this is a file, not a run directory",
                where=str(self.path),
                next_step="give the folder that `mtlsearch search` wrote to (its --out)",
            )
        if self._has_study:
            return RunError(
                "the run file of this run is gone",
                where=str(self.config),
                next_step="put it back as it was",
            )
        folders = (file.parent for file in self.path.glob(f"*/{self.config.name}"))
        below = sorted(str(folder) for folder in folders if RunDirectory(folder)._has_study)
        next_step = f"`mtlsearch search RUN.yaml --out {self.path}` makes one"
        return RunError(
            "there is no run here" + (", but in folders below" if below else ""),
            where=str(self.path),
            allowed=below,
            next_step=None if below else next_step,
        )

    @property
    def _has_study(self) -> bool:
        return self.journal.is_file() or self.study_name.is_file()

    @property
    def in_use(self) -> bool:
        """Whether a process searches in it now."""
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; the kernel lets go when the process dies.

        A folder that is made for it and in which nothing is written is taken away again.

        Raises:
            RunError: another process searches in it, or it cannot be written to.
        """
        made = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise RunError(
                f"this is no folder that a search can write to ({error.strerror})",
                where=str(self.path),
                next_step="give another folder with --out",
            ) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                owner = os.read(descriptor, 32).decode() or "unknown"
                raise RunError(
                    f"another search runs here, process {owner}",
                    where=str(self.path),
                    next_step="wait for it, stop it, or give another folder with --out",
                ) from error
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            try:
                yield
            finally:
                if made:
                    self._remove_unused()
        finally:
            os.close(descriptor)

    def _remove_unused(self) -> None:
        if [file.name for file in self.path.glob("*")] == [".lock"]:
            (self.path / ".lock").unlink()
            self.path.rmdir()
