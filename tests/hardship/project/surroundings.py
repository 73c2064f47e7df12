"""The container is not as it usually is: no network, no disk, another user, much environment."""

import errno
import getpass
import os
import pathlib
import socket
import tempfile

from leoflow import task


@task
def looks_a_name_up():
    socket.getaddrinfo("example.org", 443)


@task
def connects_to_an_address():
    socket.create_connection(("192.0.2.1", 80), timeout=5)


@task
def fills_the_disk():
    with open("/tmp/large", "wb") as file:
        for _ in range(64):
            file.write(b"x" * 2**20)
            file.flush()
    raise AssertionError("the disk has more room than this test gave it")


@task
def works_on_a_full_disk():
    try:
        fills_the_disk.function()
    except OSError as error:
        print("x" * 100_000)
        return errno.errorcode[error.errno]


@task
def writes_where_it_must_not():
    pathlib.Path("here").write_text("x")


@task
def uses_a_temporary_file():
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    return "written"


@task
def tells_who_it_is():
    return {"uid": os.getuid(), "gid": os.getgid(), "home": os.path.expanduser("~")}


@task
def asks_for_its_name():
    return getpass.getuser()


@task
def counts_its_environment():
    return {"number": len(os.environ), "longest": max(map(len, os.environ.values()))}


@task.bash
def bash_counts_its_environment():
    return "compgen -e | wc -l"


TASKS = (
    looks_a_name_up,
    connects_to_an_address,
    fills_the_disk,
    works_on_a_full_disk,
    writes_where_it_must_not,
    uses_a_temporary_file,
    tells_who_it_is,
    asks_for_its_name,
    counts_its_environment,
    bash_counts_its_environment,
)
