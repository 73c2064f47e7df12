"""What an API server is asked before agents are mounted as images, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster.connect import Access
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import Away
from leoflow_controlplane.executor.cluster.mounting import check_mount
from leoflow_controlplane.pod.site import PodSite

SITE = PodSite("runs", "realm", "owner", agent_image="reg/agent:1", agent_mount="image-volume")
Connect = Callable[[int, dict[str, Any]], Awaitable[Connection]]


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Connect]:
    """Give a connection to a server that answers a Pod with itself, changed, or with a status."""
    runners: list[web.AppRunner] = []
    connections: list[Connection] = []

    async def begin(code: int, changes: dict[str, Any]) -> Connection:
        async def answer(request: web.Request) -> web.Response:
            if request.path == "/version":
                return web.json_response({"gitVersion": "v1.30.2"})
            assert request.query["dryRun"] == "All"
            if code >= 400:
                return web.json_response({"kind": "Status", **changes}, status=code)
            pod = await request.json()
            return web.json_response({**pod, "spec": {**pod["spec"], **changes}}, status=code)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        host, port = runners[-1].addresses[0][:2]
        cluster = {"name": "c", "cluster": {"server": f"http://{host}:{port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        user = {"name": "u", "user": {"token": "t"}}
        config = {"clusters": [cluster], "contexts": [context], "users": [user]}
        (tmp_path / "config").write_text(json.dumps({"current-context": "c", **config}))
        connections.append(Connection(Access(str(tmp_path / "config"), None, "runs")))
        await connections[-1].open()
        return connections[-1]

    yield begin
    for connection in connections:
        await connection.close()
    for runner in runners:
        await runner.cleanup()


UNKNOWN = 'strict decoding error: unknown field "spec.volumes[0].image"'
# As 1.36 answers that emulates 1.34 with the feature gate ImageVolume off.
LACKING: dict[str, tuple[int, dict[str, Any]]] = {
    "too old": (400, {"message": f"Pod in version v1 cannot be handled as a Pod: {UNKNOWN}"}),
    "switched off": (201, {"volumes": None}),
}


@pytest.mark.parametrize(("code", "changes"), LACKING.values(), ids=LACKING.keys())
async def test_an_api_server_without_image_volumes_is_told_with_the_way_out(
    connect: Connect, code: int, changes: dict[str, Any]
) -> None:
    connection = await connect(code, changes)
    with pytest.raises(ExecutorUnusable, match=r"\(v1\.30\.2\) has no image volumes") as caught:
        await check_mount(connection, SITE)
    assert "LEOFLOW_KUBERNETES_AGENT_MOUNT to init-container" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (201, {}),
        (403, {"message": "violates PodSecurity"}),
        (409, {"reason": "AlreadyExists"}),
        (500, {"message": "failed calling webhook"}),
    ],
)
async def test_what_says_nothing_of_image_volumes_keeps_nobody_from_starting(
    connect: Connect, code: int, changes: dict[str, Any]
) -> None:
    await check_mount(await connect(code, changes), SITE)


async def test_an_api_server_that_does_not_answer_is_waited_for(connect: Connect) -> None:
    with pytest.raises(Away):
        await check_mount(await connect(503, {}), SITE)


@pytest.mark.parametrize("changes", [{"agent_image": None}, {"agent_mount": "init-container"}])
async def test_who_mounts_nothing_is_not_asked_for(
    connect: Connect, changes: dict[str, Any]
) -> None:
    await check_mount(await connect(503, {}), SITE._replace(**changes))
