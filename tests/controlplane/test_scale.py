"""That work does not grow with what waits: wide DAGs end as soon as narrow ones, task by task."""

from __future__ import annotations

import time

from house import OpenHouse, make_task


async def test_a_wide_dag_is_not_slowed_down_by_its_width(open_house: OpenHouse) -> None:
    """With every waiting task read at each report, this took many times as long."""

    async def seconds_per_task(width: int) -> float:
        """Of a processor, for what else the machine does is nothing of ours."""
        names = [f"t{number}" for number in range(width)]
        began = time.process_time()
        await house.run(*map(make_task, names), make_task("end", *names))
        return (time.process_time() - began) / width

    async with open_house() as house:
        await house.run(make_task("a"))
        narrow, wide = await seconds_per_task(40), await seconds_per_task(240)
    assert wide < 6 * narrow
