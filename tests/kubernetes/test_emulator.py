"""The emulator has to be what executors believe that it is: an API server with its own words."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from emulator.admission import ENFORCE
from emulator.agent import AgentRuntime
from emulator.cluster import NAMESPACE, Cluster
from emulatorclient import PODS, Client, make_pod
from leoflow_agent import exitcode


async def test_the_official_client_understands_it(cluster: Cluster, tmp_path: Path) -> None:
    from kubernetes.aio import client, config

    file = cluster.write_kubeconfig(tmp_path / "config")
    async with await config.new_client_from_config(str(file)) as api:
        core = client.CoreV1Api(api)
        await core.create_namespaced_pod(NAMESPACE, make_pod("p", BEHAVE="sleep"))
        async with asyncio.timeout(60):
            while (await core.read_namespaced_pod("p", NAMESPACE)).status.phase != "Running":
                await asyncio.sleep(0.005)
        assert await core.read_namespaced_pod_log("p", NAMESPACE) == "ready\n"
        deleted = await core.delete_namespaced_pod("p", NAMESPACE, grace_period_seconds=1)
        assert deleted.metadata.deletion_grace_period_seconds == 1
        async with asyncio.timeout(60):
            while (await core.list_namespaced_pod(NAMESPACE)).items:
                await asyncio.sleep(0.005)


async def test_a_pod_that_is_deleted_is_told_to_stop_and_goes_last(client: Client) -> None:
    await client.create(make_pod("p", BEHAVE="sleep"))
    running = await client.until_phase("p", "Running")
    version = running["metadata"]["resourceVersion"]
    seen = []
    async with client.watch(resourceVersion=version, timeoutSeconds="20") as events:
        await client.ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 9})
        async for event in events:
            pod = event["object"]
            going = "deletionTimestamp" in pod["metadata"]
            seen.append((event["type"], going, pod["status"]["phase"]))
            if event["type"] == "DELETED":
                break
    assert seen == [
        ("MODIFIED", True, "Running"),
        ("MODIFIED", True, "Failed"),
        ("DELETED", True, "Failed"),
    ]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 143


async def test_what_nobody_runs_is_gone_at_once(client: Client) -> None:
    await client.create(make_pod("p", FATE="unschedulable"))
    await client.until("p", lambda pod: pod["status"].get("conditions"))
    await client.ask("DELETE", f"{PODS}/p")
    answer = await client.ask("GET", f"{PODS}/p")
    assert (answer.code, answer.body["message"]) == (404, 'pods "p" not found')
    assert answer.body["details"] == {"name": "p", "kind": "pods"}


async def test_a_list_in_pages_is_of_one_instant(client: Client, cluster: Cluster) -> None:
    for number in range(5):
        await client.create(make_pod(f"p{number}", BEHAVE="sleep"))
    first = (await client.ask("GET", PODS, limit="2")).body
    assert first["metadata"]["remainingItemCount"] == 3
    cluster.delete("p3")
    token, names = first["metadata"]["continue"], []
    while token:
        page = (await client.ask("GET", PODS, limit="2", **{"continue": token})).body
        names += [pod["metadata"]["name"] for pod in page["items"]]
        token = page["metadata"].get("continue")
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert names == ["p2", "p3", "p4"]
    cluster.store.compact()
    late = await client.ask("GET", PODS, **{"continue": first["metadata"]["continue"]})
    assert (late.code, late.body["reason"]) == (410, "Expired")


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=test", ["a", "b"]),
        ("name in (a, c)", ["a"]),
        ("name!=a,app", ["b"]),
        ("name notin (a)", ["b"]),
        ("!app", []),
    ],
)
async def test_labels_select(client: Client, selector: str, found: list[str]) -> None:
    for name in ("a", "b"):
        await client.create(make_pod(name, BEHAVE="sleep"))
    items = (await client.ask("GET", PODS, labelSelector=selector)).body["items"]
    assert [pod["metadata"]["name"] for pod in items] == found


async def test_what_is_not_selected_any_more_is_deleted_to_who_watches(client: Client) -> None:
    created = (await client.create(make_pod("p", FATE="unschedulable"))).body
    await client.until("p", lambda pod: pod["status"].get("conditions"))
    for value in ("other", "test"):
        await client.ask("PATCH", f"{PODS}/p", {"metadata": {"labels": {"app": value}}})
    version, told = created["metadata"]["resourceVersion"], []
    async with client.watch(resourceVersion=version, labelSelector="app=test") as events:
        while len(told) < 3:
            event = await anext(events)
            told.append((event["type"], event["object"]["metadata"]["labels"]["app"]))
    assert told == [("MODIFIED", "test"), ("DELETED", "test"), ("ADDED", "test")]


async def test_a_watch_goes_on_from_a_version_and_bookmarks_the_present(client: Client) -> None:
    created = (await client.create(make_pod("p", BEHAVE="sleep"))).body
    await client.until_phase("p", "Running")
    version = created["metadata"]["resourceVersion"]
    kinds = []
    async with client.watch(resourceVersion=version, allowWatchBookmarks="true") as events:
        async for event in events:
            kinds.append(event["type"])
            if event["type"] == "BOOKMARK":
                break
    assert kinds == ["MODIFIED", "MODIFIED", "MODIFIED", "BOOKMARK"]
    now = (await client.ask("GET", f"{PODS}/p")).body["metadata"]["resourceVersion"]
    assert event["object"]["metadata"]["resourceVersion"] == now
    async with client.watch(sendInitialEvents="true") as events:
        assert [(await anext(events))["type"] for _ in range(2)] == ["ADDED", "BOOKMARK"]


async def test_a_version_that_is_too_old_is_gone(client: Client, cluster: Cluster) -> None:
    await client.create(make_pod("p", BEHAVE="sleep"))
    cluster.store.compact()
    async with client.watch(resourceVersion="1000") as events:
        [event] = [event async for event in events]
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert event["object"]["message"].startswith("too old resource version: 1000 (")


def _refused() -> list[Any]:
    typo, number = make_pod("p"), make_pod("p", A="1")
    typo["spec"]["containers"][0]["imagePolicy"] = "Never"
    number["spec"]["containers"][0]["env"][0]["value"] = 1
    account, long = make_pod("p"), make_pod("p")
    account["spec"]["serviceAccountName"] = "nobody"
    long["metadata"]["labels"]["dag"] = "d" * 64
    return [
        pytest.param(
            typo,
            400,
            'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown '
            'field "spec.containers[0].imagePolicy"',
            id="an unknown field",
        ),
        pytest.param(number, 400, "cannot unmarshal number", id="a value of a wrong type"),
        pytest.param(account, 403, 'serviceaccount "nobody" not found', id="no such account"),
        pytest.param(long, 422, "must be no more than 63 bytes", id="a label that is too long"),
        pytest.param(make_pod("P"), 422, 'Pod "P" is invalid: metadata.name', id="a bad name"),
        pytest.param({"kind": "Job"}, 400, "unrecognized", id="another kind"),
    ]


@pytest.mark.parametrize(("pod", "code", "words"), _refused())
async def test_what_cannot_be_is_refused(
    client: Client, pod: dict[str, Any], code: int, words: str
) -> None:
    answer = await client.create(pod, fieldValidation="Strict")
    assert (answer.code, answer.body["code"], answer.body["kind"]) == (code, code, "Status")
    assert words in answer.body["message"]


async def test_a_name_is_there_once(client: Client, cluster: Cluster) -> None:
    pod = make_pod("p", BEHAVE="stubborn")
    assert (await client.create(pod, dryRun="All")).code == 201
    assert cluster.pods() == []
    assert (await client.create(pod)).code == 201
    again = await client.create(pod)
    assert (again.code, again.body["message"]) == (409, 'pods "p" already exists')
    await client.until_phase("p", "Running")
    await client.ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 60})
    assert "object is being deleted" in (await client.create(pod)).body["message"]


async def test_a_precondition_holds_or_nothing_is_deleted(client: Client) -> None:
    uid = (await client.create(make_pod("p", BEHAVE="sleep"))).body["metadata"]["uid"]
    for said in ({"uid": "other"}, {"uid": uid, "resourceVersion": "1"}):
        wrong = await client.ask("DELETE", f"{PODS}/p", {"preconditions": said})
        assert (wrong.code, wrong.body["reason"]) == (409, "Conflict")
    right = await client.ask("DELETE", f"{PODS}/p", {"preconditions": {"uid": uid}})
    assert right.code == 200


async def test_quota_and_policy_say_what_they_are(client: Client, cluster: Cluster) -> None:
    cluster.put("resourcequotas", "small", spec={"hard": {"pods": "1"}})
    await client.create(make_pod("p", BEHAVE="sleep"))
    answer = await client.create(make_pod("q"))
    assert answer.body["message"] == (
        'pods "q" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, '
        "limited: pods=1"
    )
    # As on a real cluster: what is there already is not seen before the quota is.
    assert (await client.create(make_pod("p"))).code == 403
    cluster.put("namespaces", NAMESPACE, metadata={"labels": {ENFORCE: "restricted"}})
    message = (await client.create(make_pod("q"))).body["message"]
    assert 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in message


async def test_who_asks_may_not_be_let_in_or_not_be_allowed(
    client: Client, cluster: Cluster
) -> None:
    cluster.api.denied.add(("get", "pods/log"))
    asked = {"verb": "get", "resource": "pods", "subresource": "log"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = await client.ask("POST", path, {"spec": {"resourceAttributes": asked}})
    assert review.body["status"] == {"allowed": False}
    await client.create(make_pod("p"))
    assert (await client.ask("GET", f"{PODS}/p/log")).code == 403
    cluster.api.token = "secret"
    assert (await client.ask("GET", PODS)).body["reason"] == "Unauthorized"
    assert (await client.ask("GET", PODS, token="secret")).code == 200


async def test_faults_come_where_they_are_planned(client: Client, cluster: Cluster) -> None:
    cluster.faults.plan("429", verb="create")
    cluster.faults.plan("lost", verb="create", name="")
    busy = await client.create(make_pod("p", BEHAVE="sleep"))
    assert (busy.code, busy.headers["Retry-After"]) == (429, "1")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.create(make_pod("p", BEHAVE="sleep"))
    assert (await client.create(make_pod("p"))).code == 409
    cluster.faults.plan("cut", 1, verb="watch")
    with pytest.raises(aiohttp.ClientError):
        async with client.watch(resourceVersion="1000") as events:
            assert [event["type"] async for event in events] == []


async def test_a_server_that_was_restarted_knows_its_objects_but_no_old_versions(
    client: Client, cluster: Cluster
) -> None:
    created = (await client.create(make_pod("p", BEHAVE="sleep"))).body
    await client.until_phase("p", "Running")
    await cluster.restart(away_seconds=0)
    found = await client.ask("GET", f"{PODS}/p")
    assert found.body["metadata"]["uid"] == created["metadata"]["uid"]
    async with client.watch(resourceVersion=created["metadata"]["resourceVersion"]) as events:
        assert [event["object"]["code"] async for event in events] == [410]


async def test_a_claim_keeps_what_was_written_until_it_goes(
    client: Client, cluster: Cluster
) -> None:
    claims = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}

    async def code_of(name: str, behave: str) -> int:
        pod = make_pod(name, BEHAVE=behave)
        pod["spec"]["volumes"] = [volume]
        await client.create(pod)
        found = await client.until_phase(name, "Succeeded", "Failed")
        status = found["status"]["containerStatuses"][0]["state"]["terminated"]
        return int(status["exitCode"])

    await client.ask("POST", claims, {"metadata": {"name": "c"}, "spec": {}})
    assert [await code_of("a", "keep"), await code_of("b", "find")] == [0, 0]
    await client.ask("DELETE", f"{claims}/c")
    await client.ask("POST", claims, {"metadata": {"name": "c"}, "spec": {}})
    assert await code_of("c", "find") == 1


@pytest.mark.parametrize(
    ("answers", "code", "begun"),
    [
        pytest.param([503, 200, 200], exitcode.SUCCESS, 1, id="heard"),
        pytest.param([503, 401], exitcode.TERMINATED, 0, id="refused"),
    ],
)
async def test_a_played_task_begins_only_once_its_agent_was_heard(
    answers: list[int], code: int, begun: int
) -> None:
    runtime, asked = AgentRuntime(1, 0.0), []

    async def serve(request: web.Request) -> web.Response:
        asked.append((request.path.rpartition("/")[2], runtime.begun.total()))
        if request.method == "GET":
            return web.json_response({})
        ack = json.loads(await request.read())["events"][-1]["seq"]
        return web.json_response({"ack": ack}, status=answers.pop(0))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    async with TestServer(app) as server:
        context = {"task_id": "mute-1", "try_number": 1}
        workload = {"endpoint": str(server.make_url("")).rstrip("/"), "token": "t", "inputs": None}
        agent = await runtime.start(
            make_pod("p", LEOFLOW_WORKLOAD=json.dumps({**workload, "context": context}))
        )
        assert (await agent.ended()).code == code
        await runtime.close()
    heard = [("events", 0), ("inputs", 0), ("events", 1)]
    assert asked == [("events", 0), *(heard if begun else [("events", 0)])]
    assert runtime.begun.total() == begun
