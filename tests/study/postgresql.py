"""A PostgreSQL server on loopback that a test starts, stops and starts again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from mtlsearch.files import FileLock

DEBIAN_FOLDER = Path("/usr/lib/postgresql")
INSTALL = Path(__file__).with_name("install_postgresql.sh")
START_TIMEOUT = 60
UNPRIVILEGED = 65534
"""User id of an account without rights, on every Linux."""


@dataclass
class PostgreSQLServer:
    """A server with its data in a temporary folder. Everyone on this machine may connect.

    Attributes:
        programs: folder with ``initdb`` and ``pg_ctl``.
        folder: folder of the data, of the socket and of the server's log.
        port: its port on loopback, the same after each start.
    """

    programs: Path
    folder: Path
    port: int
    _numbers: Iterator[int] = field(default_factory=count)

    def create(self) -> None:
        """Create the data folder; the server does not run as root."""
        if user := self._user():
            os.chown(self.folder, *user)
        self._run("initdb", "--auth=trust", "--username=mtlsearch", "--encoding=UTF8", "--no-sync")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        # A crash of the server loses nothing without fsync, only a crash of the machine does.
        options = f"-F -p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        log = ("-l", str(self.folder / "server.log"))
        self._run("pg_ctl", "start", "-w", "-t", str(START_TIMEOUT), "-o", options, *log)

    def stop(self, *, how: str = "immediate") -> None:
        """Stop the server, which drops all connections.

        Args:
            how: ``immediate``, as if it was killed, or ``fast``, which rolls back first.
        """
        self._run("pg_ctl", "stop", "-w", "-m", how)

    def is_running(self) -> bool:
        """Return whether the server runs."""
        return self._run("pg_ctl", "status", check=False) == 0

    def new_database(self, driver: str = "") -> str:
        """Create an empty database.

        Args:
            driver: driver of SQLAlchemy, such as ``psycopg``; empty for none.

        Returns:
            Its storage URL.
        """
        import psycopg

        name = f"study{next(self._numbers)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://mtlsearch@127.0.0.1:{self.port}/{name}"

    def _address(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=mtlsearch dbname={database}"

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        user = self._user()
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        # The server inherits its output, so a pipe would never end.
        with (self.folder / f"{program}.out").open("ab") as output:
            done = subprocess.run(
                command,
                check=False,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                user=user[0] if user else None,
                group=user[1] if user else None,
                extra_groups=[] if user else None,
            )
        if check and done.returncode:
            text = (self.folder / f"{program}.out").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{program} failed:\n{text}")
        return done.returncode

    @staticmethod
    def _user() -> tuple[int, int] | None:
        """Return user and group of the server: unprivileged ones for root, else None."""
        import pwd

        if os.geteuid() != 0:
            return None
        account_by_name = {entry.pw_name: entry for entry in pwd.getpwall()}
        account = account_by_name.get("postgres") or pwd.getpwuid(UNPRIVILEGED)
        return account.pw_uid, account.pw_gid


@contextmanager
def running_server() -> Iterator[PostgreSQLServer]:
    """Run a server until the block ends; skip the test if there is none to run.

    Yields:
        The server, which accepts connections.
    """
    programs = _programs() or _installed_programs()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Folders of pytest belong to one user, and the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="mtlsearch-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgreSQLServer(programs, Path(folder), port)
        server.create()
        server.start()
        try:
            yield server
        finally:
            if server.is_running():
                server.stop()


def _programs() -> Path | None:
    """Return the folder of the newest installed server; None if none is installed."""
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    folders = (path.parent for path in DEBIAN_FOLDER.glob("*/bin/initdb"))
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


def _installed_programs() -> Path:
    """Install the server, if this process may; skip the test if it may not."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip(f"PostgreSQL is not installed; as root, {INSTALL} installs it on Debian")
    lock = FileLock(Path(tempfile.gettempdir()) / "mtlsearch-tests-install.lock")
    lock.acquire()
    try:
        if _programs() is None:
            done = subprocess.run([str(INSTALL)], check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"PostgreSQL cannot be installed: {done.stderr.strip()[-300:]}")
    finally:
        lock.release()
    programs = _programs()
    assert programs is not None
    return programs
