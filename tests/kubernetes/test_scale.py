"""Many Pods, a cluster in which much goes wrong, and control planes that are killed in between:
each task ends right, and no try's task begins twice.

A Pod may be created twice: of one that goes away before anybody can know of it nothing is left that
would tell it from one that never was.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from emulatorprocess import emulator, end_group, run
from freeport import free_port
from leoflow_controlplane.controlplane import DATABASE_NAME
from servers import KINDS, WIDTH
from sqlalchemy import create_engine, text

# Of what goes wrong and when. Another one is another storm.
SEED = int(os.environ.get("LEOFLOW_TEST_SEED", "20"))
# The chance of each fault of a call, the share of Pods with a bad fate, the longest task.
STORM = (0.02, 0.1, 0.3)
ENDS = """
SELECT i.task_id, i.state, count(*) AS many FROM task_instances i GROUP BY i.task_id, i.state
"""


class Size(NamedTuple):
    """How many Pods, how many at once, how long each control plane lives before it is killed."""

    runs: int
    at_once: int
    lives: tuple[float, ...]
    seconds: float


SMALL = Size(runs=5, at_once=100, lives=(3.0, 3.0), seconds=500)
WHOLE = Size(runs=100, at_once=1000, lives=(15.0, 20.0, 25.0, 30.0), seconds=1500)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("size", [SMALL, pytest.param(WHOLE, marks=pytest.mark.long)])
async def test_all_end_right_and_none_begins_twice(tmp_path: Path, size: Size) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with emulator(tmp_path, SEED, *STORM) as ask:
        errand = (home, tmp_path / "kubeconfig", SEED, free_port(), size.runs, size.at_once)
        process = await run("servers.py", *errand, *size.lives, stdout=True)
        async with asyncio.timeout(size.seconds):
            try:
                await asyncio.sleep(size.lives[0] / 2)
                await ask("POST", "restart")
                out, _ = await process.communicate()
            finally:
                end_group(process)
        assert process.returncode == 0
        told, seen = json.loads(out), await ask("GET", "tell")
    print(told, seen)
    # A fast machine is done before the last of them.
    assert 2 * told["kills"] >= len(size.lives)
    assert told["peak_mib"] < 200
    assert seen["faults"] > 10
    assert seen["begun"] >= size.runs * WIDTH
    assert seen["begun_twice"] == []
    assert ends_of(home) == {
        (kind, "failed" if kind == "bad" else "success"): KINDS.count(kind)
        * (size.runs * WIDTH // len(KINDS))
        for kind in KINDS
    }


def ends_of(home: Path) -> Counter[tuple[str, str]]:
    """Count task instances by kind and state."""
    engine = create_engine(f"sqlite:///{home / DATABASE_NAME}")
    found: Counter[tuple[str, str]] = Counter()
    with engine.connect() as connection:
        for row in connection.execute(text(ENDS)):
            found[row.task_id.partition("-")[0], row.state] += row.many
    engine.dispose()
    return found
