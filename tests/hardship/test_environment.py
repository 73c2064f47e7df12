"""Much environment: as much as the kernel takes works, and more is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from ward import Subject, Ward, all_gone

pytestmark = pytest.mark.engine

KIB = 1024


def many(number: int, length: int) -> dict[str, str]:
    return {f"SETTING_{index}": "x" * length for index in range(number)}


@pytest.mark.parametrize("task_id", ["counts_its_environment", "bash_counts_its_environment"])
async def test_10_000_variables_and_a_long_one_arrive(
    subject: Subject, tmp_path: Path, task_id: str
) -> None:
    async with Ward(subject, tmp_path) as ward:
        end = await ward.run_one(task_id, LONG="x" * 127 * KIB, **many(10_000, 20))
        await all_gone(tmp_path)
    assert end.state == "success", end
    if task_id == "counts_its_environment":
        assert end.value["number"] > 10_000
        assert end.value["longest"] == 127 * KIB
    else:
        assert int(end.value) > 10_000


async def test_a_fresh_interpreter_gets_them_too(subject: Subject, tmp_path: Path) -> None:
    variables = {"PYTHONUTF8": "1", "LONG": "x" * 127 * KIB, **many(10_000, 20)}
    async with Ward(subject, tmp_path) as ward:
        end = await ward.run_one("counts_its_environment", **variables)
        await all_gone(tmp_path)
    assert end.state == "success", end
    assert end.value["number"] > 10_000


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"LONG": "x" * 129 * KIB}, "'LONG' in environment has 129 KiB"),
        (many(10_000, 250), "environment of 10001 variables has 2"),
    ],
)
async def test_more_than_the_kernel_takes_is_refused(
    subject: Subject, tmp_path: Path, variables: dict[str, str], text: str
) -> None:
    async with Ward(subject, tmp_path) as ward:
        end = await ward.run_one("counts_its_environment", **variables)
        await all_gone(tmp_path)
    assert end.state == "failed"
    assert text in (end.reason or ""), end
    assert "environment" in (end.reason or "")
