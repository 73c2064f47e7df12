"""Containers that are not as usual: no network, no disk, another user. The agent needs none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from table import Row
from ward import Subject, Ward, all_gone

pytestmark = pytest.mark.engine


def host(**settings: Any) -> Callable[[dict[str, Any]], None]:
    """Give what changes the host's half of a container's settings."""

    def alter(body: dict[str, Any]) -> None:
        body["HostConfig"].update(settings)

    return alter


def user(name: str) -> Callable[[dict[str, Any]], None]:
    """Give what makes another user run the container."""

    def alter(body: dict[str, Any]) -> None:
        body["User"] = name

    return alter


CASES = {
    "no network": (
        host(NetworkMode="none"),
        Row("looks_a_name_up", "failed", 1, "gaierror: [Errno -3] Temporary failure in name"),
        Row("connects_to_an_address", "failed", 1, "OSError: [Errno 101] Network is unreachable"),
    ),
    "no names": (
        host(Dns=["127.0.0.1"]),
        Row("looks_a_name_up", "failed", 1, "gaierror: [Errno -3] Temporary failure in name"),
    ),
    "full disk": (
        host(Tmpfs={"/tmp": "size=1m,mode=1777"}),
        Row("fills_the_disk", "failed", 1, "OSError: [Errno 28] No space left on device (surr"),
        Row("works_on_a_full_disk", "success", 0, value="ENOSPC", log="x" * 100_000),
    ),
    "read-only disk": (
        host(ReadonlyRootfs=True),
        Row("writes_where_it_must_not", "failed", 1, "OSError: [Errno 30] Read-only file system"),
        Row("uses_a_temporary_file", "failed", 1, "No usable temporary directory found"),
        Row("bash_counts_its_environment", "success", 0, value="8"),
    ),
    "unknown user": (
        user("12345:12345"),
        Row("tells_who_it_is", "success", 0, value={"uid": 12345, "gid": 12345, "home": "/"}),
        Row("asks_for_its_name", "failed", 1, "KeyError: 'getpwuid(): uid not found: 12345'"),
        Row("writes_where_it_must_not", "failed", 1, "PermissionError: [Errno 13]"),
        Row("uses_a_temporary_file", "success", 0, value="written"),
    ),
    "root": (
        user("0:0"),
        Row("tells_who_it_is", "success", 0, value={"uid": 0, "gid": 0, "home": "/root"}),
        Row("asks_for_its_name", "success", 0, value="root"),
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_surroundings(name: str, subject: Subject, tmp_path: Path) -> None:
    alter, *table = CASES[name]
    async with Ward(subject, tmp_path, alter) as ward:
        ends = await ward.run(*(row.task_id for row in table))
        await all_gone(tmp_path)
    for row in table:
        row.check(ends[row.task_id])
