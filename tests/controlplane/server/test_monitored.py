"""Every metric of docs/monitoring.md moves in a server that does what it is there for."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from pathlib import Path

import httpx
from hall import Hall, open_hall, until
from house import make_task
from leoflow_agent.action import HttpAction
from leoflow_agent.spec import Webhook
from leoflow_controlplane.executor.fake import FakeAgent, succeed
from leoflow_controlplane.metrics import COLD_START_PHASES, Metrics
from leoflow_controlplane.verdict import Exit
from prometheus_client.parser import text_string_to_metric_families
from receiver import Receiver

PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"
# Tries are no Pods here, and none is lost; what is told of these is in test_pods.py and
# steps/test_machinery.py, and that it is counted in test_metrics.py.
ELSEWHERE = {"leoflow_pods_running", "leoflow_machinery_retries_total", "place"}

Values = dict[str, float]


async def scrape(app: httpx.AsyncClient) -> Values:
    """Give the sum of each metric's samples, and of each phase of a cold start; of a histogram, how
    often it was told something."""
    text = (await app.get("/metrics")).text
    values: Values = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_sum", "_created")):
                values[re.sub("_count$", "", sample.name)] += sample.value
            if sample.name.endswith("_count") and "phase" in sample.labels:
                values[sample.labels["phase"]] += sample.value
    return values


async def scrape_fresh() -> Values:
    """Scrape what nobody has told anything yet."""
    transport = httpx.ASGITransport(Metrics("none").app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fresh") as app:
        return {**await scrape(app), "leoflow_info": 0.0}


async def keep_busy(hall: Hall, hook: str, go_on: asyncio.Event) -> Values:
    """Have a call and a try under way and another one waiting, scrape, and let them end."""
    told = (Webhook(url=hook),)
    call = make_task("call", action=HttpAction(hook, "POST", body=None))
    await hall.push(
        make_task("first"), make_task("second", "first"), make_task("other"), call, on_success=told
    )
    await hall.trigger("good")
    await until(lambda: hall.executor.running)
    async with asyncio.timeout(60):
        while not (values := await scrape(hall.api))["leoflow_inline_calls_running"]:
            await asyncio.sleep(0.01)
    go_on.set()
    assert await hall.wait("good") == "success"
    return values


async def go_wrong(hall: Hall, home: Path) -> None:
    """Have a launch, a report and the database fail."""
    await hall.push(make_task("a", variables=("nowhere",)), dag_id="lacking")
    await hall.trigger("bad", "lacking")
    assert await hall.wait("bad", "lacking") == "failed"
    assert (await hall.api.post("/agent/v1/events", content=b"{}")).status_code == 401
    (home / "leoflow.db").rename(home / "away.db")
    answer = await hall.api.patch("/api/v2/dags/d", json={"is_paused": True})
    assert answer.status_code == 503, answer.text
    (home / "away.db").rename(home / "leoflow.db")


async def test_every_metric_of_the_page_moves(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def when_told(agent: FakeAgent) -> Exit:
        await go_on.wait()
        return await succeed(agent)

    receiver = Receiver()
    receiver.open = go_on
    allowed = {"inline_allowed_hosts": "127.0.0.0/8", "max_parallel_tasks": "1"}
    before = await scrape_fresh()
    async with (
        receiver.listen() as hook,
        open_hall(tmp_path, when_told, **allowed) as hall,
    ):
        seen = [await keep_busy(hall, hook, go_on)]
        await until(lambda: len(receiver.got) == 2)
        await go_wrong(hall, tmp_path)
        seen.append(await scrape(hall.api))
    page = set(re.findall(r"^\| `(leoflow_\w+)", PAGE.read_text(), re.MULTILINE))
    names = {*page, *COLD_START_PHASES}
    still = {name for name in names if all(one[name] == before.get(name, 0) for one in seen)}
    assert still == ELSEWHERE
