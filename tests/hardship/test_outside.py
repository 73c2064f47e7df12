"""What others do to a container that runs: kill, stop, pause and remove it, or what is in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from leoflow_controlplane.verdict import STOPPED_OUTSIDE
from ward import SETTINGS, Ending, Subject, Ward, all_gone, left_behind

pytestmark = pytest.mark.engine

WITHOUT_REPORT = "killed by signal 9 (SIGKILL) without a report"

LATE = "timed out: it ran longer than execution_timeout_seconds = 5, and its agent did not end it"


@pytest.fixture
async def ward(subject: Subject, tmp_path: Path) -> AsyncIterator[Ward]:
    # What is lost is not made up for: here it is to be told.
    settings = replace(SETTINGS, removal_allowance_seconds=3.0, machinery_retries=0)
    async with Ward(subject, tmp_path, settings=settings) as opened:
        yield opened
        await all_gone(tmp_path)


class Patient:
    """A task that has said that it is ready."""

    def __init__(self, ward: Ward, task_id: str) -> None:
        self._ward = ward
        self._task_id = task_id
        self.container = ""
        self.pid = 0

    async def begin(self) -> Patient:
        self._key = await self._ward.begin(self._task_id)
        said = await self._ward.hear(self._key, self._task_id)
        self.container = self._ward.container(self._key, self._task_id)
        found = re.search(r"ready (\d+)", said)
        assert found
        self.pid = int(found[1])
        return self

    async def end(self) -> Ending:
        return (await self._ward.end(self._key))[self._task_id]


async def test_the_tasks_process_is_killed(ward: Ward) -> None:
    patient = await Patient(ward, "waits").begin()
    await ward.execute(patient.container, f"import os; os.kill({patient.pid}, 9)")
    end = await patient.end()
    assert (end.state, end.exit_code, end.oom_killed) == ("failed", 137, False)
    assert "the task's process was killed by signal 9 (SIGKILL)" in (end.reason or "")


async def test_the_tasks_process_is_stopped_and_goes_on(ward: Ward) -> None:
    patient = await Patient(ward, "takes_two_seconds").begin()
    await ward.execute(patient.container, f"import os; os.kill({patient.pid}, 19)")
    await asyncio.sleep(2.5)
    assert left_behind(ward.home)
    await ward.execute(patient.container, f"import os; os.kill({patient.pid}, 18)")
    assert (await patient.end()).value == "done"


async def test_the_agent_is_killed(ward: Ward) -> None:
    patient = await Patient(ward, "waits").begin()
    await ward.order("kill", patient.container, "SIGKILL")
    end = await patient.end()
    assert (end.state, end.exit_code, end.reason) == ("failed", 137, WITHOUT_REPORT)
    assert "ready" in end.log


async def test_the_agent_is_stopped_for_good(ward: Ward) -> None:
    """Its own deadline passes unseen; the control plane's does not."""
    patient = await Patient(ward, "waits_for_five_seconds").begin()
    await ward.order("kill", patient.container, "SIGSTOP")
    end = await patient.end()
    assert end.state == "failed"
    assert end.reason == LATE


async def test_a_stopped_container_gives_its_task_time_to_clean_up(ward: Ward) -> None:
    patient = await Patient(ward, "cleans_up_when_told_to_stop").begin()
    await ward.order("stop", patient.container, timeout=10)
    end = await patient.end()
    assert (end.state, end.exit_code, end.reason) == ("failed", 125, STOPPED_OUTSIDE)
    assert "cleaned up\n" in end.log


async def test_a_task_that_finishes_while_it_is_stopped_has_succeeded(ward: Ward) -> None:
    patient = await Patient(ward, "finishes_when_told_to_stop").begin()
    await ward.order("stop", patient.container, timeout=10)
    end = await patient.end()
    assert (end.state, end.value, end.reason) == ("success", "done in time", None)


async def test_a_removed_container_is_told(ward: Ward) -> None:
    patient = await Patient(ward, "waits").begin()
    await ward.order("remove_container", patient.container, force=True)
    end = await patient.end()
    assert end.state == "failed"
    # The engine kills it first, and its end may be read before it is gone.
    assert end.reason in ("the container was removed from outside while it ran", WITHOUT_REPORT)


async def test_a_paused_container_goes_on_where_it_was(ward: Ward) -> None:
    patient = await Patient(ward, "takes_two_seconds").begin()
    await ward.order("pause", patient.container)
    await asyncio.sleep(2.5)
    assert left_behind(ward.home)
    await ward.order("unpause", patient.container)
    end = await patient.end()
    assert (end.state, end.value) == ("success", "done")


async def test_a_container_that_is_paused_for_good_is_ended_at_its_deadline(ward: Ward) -> None:
    patient = await Patient(ward, "waits_for_five_seconds").begin()
    await ward.order("pause", patient.container)
    end = await patient.end()
    assert end.state == "failed"
    assert end.reason == LATE
