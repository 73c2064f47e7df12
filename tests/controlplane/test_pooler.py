"""A pooler before PostgreSQL: a leader leads by a session, so one that shares them is refused."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from freeport import free_port
from ledger import Ledger, open_database
from leoflow_controlplane.error import DatabaseUnusable
from postgresqlserver import WITHOUT, PostgresqlServer, die_with_parent, identity

pytestmark = pytest.mark.postgresql

SETTINGS = """\
[databases]
* = host={folder} port={port} user=leoflow
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
"""


@contextmanager
def pooler(server: PostgresqlServer, folder: Path, mode: str) -> Iterator[str]:
    """Have PgBouncer before a new database of ``server``; give the URL."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    assert program, f"this test needs pgbouncer, which is not here. {WITHOUT}"
    listen, name = free_port(), server.make_database()
    settings = server.folder / f"pgbouncer-{listen}.ini"
    settings.write_text(
        SETTINGS.format(folder=server.folder, port=server.port, listen=listen, mode=mode)
    )
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-q", settings],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
            **identity(),
        )
    url = f"postgresql://leoflow@127.0.0.1:{listen}/{name}"
    try:
        _wait_for(url, process, folder / "pgbouncer.log")
        yield url
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(20)
        server.drop_database(name)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


async def test_one_that_gives_each_client_a_session_is_as_good_as_none(
    postgresql_server: PostgresqlServer, tmp_path: Path
) -> None:
    with pooler(postgresql_server, tmp_path, "session") as url:
        ledger = Ledger()
        async with open_database(url, ledger) as database:
            assert await database.run(ledger.add, "one")


async def test_one_that_shares_sessions_is_refused(
    postgresql_server: PostgresqlServer, tmp_path: Path
) -> None:
    with (
        pooler(postgresql_server, tmp_path, "transaction") as url,
        pytest.raises(DatabaseUnusable, match="pool_mode = session"),
    ):
        async with open_database(url, Ledger()):
            pass
