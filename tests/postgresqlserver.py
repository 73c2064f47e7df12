"""A private PostgreSQL out of the distribution's package, for tests: started, broken, stopped.

It is a child of the tests and dies with them; nothing of another server is touched.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from freeport import free_port

START_SECONDS = 60.0
WITHOUT = (
    "Install it with tests/install-tools (Debian, Ubuntu: sudo apt-get install postgresql), or "
    "leave its tests out: --postgres=none"
)
# Without a promise to survive a power cut a test database is made in a tenth of the time.
HASTY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_SET_DEATH_SIGNAL = 1


class PostgresqlMissing(Exception):
    """There is no PostgreSQL to start; the text says what to do."""


class PostgresqlServer:
    """One server on a Unix socket and a loopback port, in a folder of its own."""

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leoflow-postgresql-"))
        self.port = free_port()
        self._settings = {} if durable else HASTY
        self._programs = _find_programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    @property
    def pid(self) -> int:
        """The process that all others of the server are children of."""
        assert self._process is not None
        return self._process.pid

    def create(self) -> None:
        """Make an empty cluster."""
        if (user := _unprivileged()) is not None:
            shutil.chown(self.folder, user)
        options = "--username=leoflow --auth=trust --encoding=UTF8 --locale=C --no-sync"
        self._call("initdb", *options.split(), "--no-instructions", f"{self.folder / 'data'}")

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self._settings,
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    f"-D{self.folder / 'data'}",
                    *(f"-c{name}={value}" for name, value in options.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=die_with_parent,
                **identity(),
            )
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT in order, SIGQUIT at once, as in a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(START_SECONDS)

    def remove(self) -> None:
        """Stop it and delete all that it had."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, *, tcp: bool = False) -> str:
        """Name a database, by the Unix socket or by TCP."""
        if tcp:
            return f"postgresql://leoflow@127.0.0.1:{self.port}/{database}"
        return f"postgresql://leoflow@/{database}?host={self.folder}&port={self.port}"

    def make_database(self, template: str = "template1") -> str:
        """Make a database of its own for one test; return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        """Delete a database, whoever is connected to it."""
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement, outside of any transaction; return its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _wait_until_ready(self) -> None:
        import psycopg

        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self._process is not None
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start: {log[-2000:]}") from None
                time.sleep(0.02)
            else:
                return

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **identity(),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[PostgresqlServer]:
    """Have a server for as long as the context is open."""
    server = PostgresqlServer(durable=durable)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


def _find_programs() -> Path:
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr/pgsql").glob("*/bin")]
    if (found := shutil.which("postgres")) is not None:
        folders.append(Path(found).parent)
    with_server = [folder for folder in folders if (folder / "postgres").exists()]
    if not with_server:
        raise PostgresqlMissing(f"this test needs PostgreSQL, which is not here. {WITHOUT}")
    return max(
        with_server,
        key=lambda folder: [int(n) for n in folder.parent.name.split(".") if n.isdigit()],
    )


def _unprivileged() -> str | None:
    """Whom the server runs as, which refuses to be root; None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise PostgresqlMissing("there is no user that PostgreSQL could run as, and root it refuses")


def identity() -> dict[str, object]:
    """Whom a program of the server's package runs as, as arguments of Popen."""
    user = _unprivileged()
    return (
        {}
        if user is None
        else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    )


def die_with_parent() -> None:
    """Have the kernel end this process when the tests are gone; called before its program runs."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGQUIT)
