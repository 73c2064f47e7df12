"""What tasks leave for each other by key, and what they are given in confidence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from house import OpenHouse, make_task, states
from leoflow_controlplane.error import RunRefused, SecretMissing, Stale
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.secretsource import FakeSecrets
from leoflow_controlplane.verdict import Exit

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECRET = "hunter2-planted"


def pushing(*pushes: tuple[str, Any], state: str = "success") -> Any:
    """Script a task that pushes and ends."""

    async def push(agent: FakeAgent) -> Exit:
        await agent.start()
        for key, value in pushes:
            await agent.send([agent.add("xcom", key=key, value=value)])
        return Exit(await agent.finish(state))

    return push


async def pull(agent: FakeAgent, task_id: str, key: str = "return_value", index: int = -1) -> Any:
    token = agent.launch.workload["token"]
    return await agent._desk.give_xcom(token, task_id, key, index)


async def test_pushed_values_can_be_pulled_by_any_task_of_the_run(open_house: OpenHouse) -> None:
    pulled: list[Any] = []

    async def script(agent: FakeAgent) -> Exit:
        if agent.launch.key.task_id == "a":
            return await pushing(("k", {"n": 1}), ("k", [2]))(agent)  # type: ignore[no-any-return]
        await agent.start()
        pulled.extend([await pull(agent, "a", "k"), await pull(agent, "a", "other")])
        pulled.extend([await pull(agent, "a", "k", 0), await pull(agent, "x")])
        return Exit(await agent.finish())

    async with open_house(script) as house:
        result = await house.run(make_task("a"), make_task("b", "a"))
    assert states(result) == {"a": "success", "b": "success"}
    assert pulled == [
        {"value": [2], "error": None},
        {"value": None, "error": None},
        {"value": None, "error": None},
        {"value": None, "error": "DAG 'd' has no task 'x'. It has: a, b."},
    ]


async def test_what_a_try_pushed_before_it_failed_stays_until_the_next_one(
    open_house: OpenHouse,
) -> None:
    seen: list[Any] = []

    async def script(agent: FakeAgent) -> Exit:
        await agent.start()
        seen.append((await pull(agent, "a", "k"))["value"])
        if agent.launch.key.task_id == "a" and agent.launch.key.try_number == 1:
            await agent.send([agent.add("xcom", key="k", value="first")])
            seen.append((await pull(agent, "a", "k"))["value"])
            return Exit(await agent.finish("failed"))
        return Exit(await agent.finish())

    async with open_house(script) as house:
        await house.run(make_task("a", retries=1))
    assert seen == [None, "first", None]


async def test_what_a_task_pushed_before_it_failed_for_good_can_be_pulled(
    open_house: OpenHouse,
) -> None:
    seen: list[Any] = []

    async def script(agent: FakeAgent) -> Exit:
        if agent.launch.key.task_id == "a":
            return await pushing(("k", 1), state="failed")(agent)  # type: ignore[no-any-return]
        await agent.start()
        seen.append((await pull(agent, "a", "k"))["value"])
        return Exit(await agent.finish())

    async with open_house(script) as house:
        after = replace(make_task("b", trigger_rule="all_done"), upstream_task_ids=("a",))
        await house.run(make_task("a"), after)
    assert seen == [1]


async def test_a_try_that_is_over_pulls_nothing(open_house: OpenHouse) -> None:
    agents: list[FakeAgent] = []

    async def script(agent: FakeAgent) -> Exit:
        agents.append(agent)
        await agent.start()
        return Exit(await agent.finish())

    async with open_house(script) as house:
        await house.run(make_task("a"))
        with pytest.raises(Stale):
            await pull(agents[0], "a")


async def test_a_failure_that_no_retry_can_help_uses_none(open_house: OpenHouse) -> None:
    async def fail(agent: FakeAgent) -> Exit:
        await agent.start()
        end = agent.add("finished", state="failed", reason="no", exit_code=1, left=1.0)
        end["retryable"] = False
        await agent.send([end])
        return Exit(1)

    async with open_house(fail) as house:
        (task,) = (await house.run(make_task("a", retries=3))).tasks
        assert len(house.executor.started) == 1
    assert (task.state, task.reason) == ("failed", "no")


async def test_declared_secrets_are_given_on_request_and_kept_nowhere(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    given: list[Any] = []

    async def script(agent: FakeAgent) -> Exit:
        given.append(await agent._desk.give_inputs(agent.launch.workload["token"]))
        await agent.start()
        return Exit(await agent.finish())

    secrets = FakeSecrets({"region": "vienna", "other": "x"}, {"db": f"pg://me:{SECRET}@h"})
    task = make_task("a", variables=("region",), connections=("db",))
    async with open_house(script, secrets) as house:
        await house.run(task, make_task("b"))
        launches = {launch.key.task_id: launch for launch in house.executor.started}
        assert SECRET not in repr(house.executor.started)
        assert SECRET.encode() not in b"".join(
            file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
        )
    assert launches["a"].workload["inputs"] is None
    assert launches["b"].workload["inputs"] is not None
    assert given[0]["environment"] == {
        "AIRFLOW_VAR_REGION": "vienna",
        "AIRFLOW_CONN_DB": f"pg://me:{SECRET}@h",
    }
    assert given[1]["environment"] == {}


async def test_a_run_that_lacks_a_secret_is_refused(open_house: OpenHouse) -> None:
    async with open_house() as house:
        with pytest.raises(RunRefused, match="declares the variable 'region', but AIRFLOW_VAR_REG"):
            await house.run(make_task("a", variables=("region",)))
        assert not house.executor.started


async def test_a_secret_that_is_gone_fails_the_try_before_anything_is_started(
    open_house: OpenHouse,
) -> None:
    secrets = FakeSecrets({"region": "vienna"})

    async def forget(agent: FakeAgent) -> Exit:
        secrets.variables.clear()
        await agent.start()
        return Exit(await agent.finish(value=1))

    async with open_house(forget, secrets) as house:
        result = await house.run(
            make_task("a"), make_task("b", "a", variables=("region",), retries=3)
        )
        assert len(house.executor.started) == 1
    assert states(result) == {"a": "success", "b": "failed"}
    assert "AIRFLOW_VAR_REGION is not set" in str(result.tasks[1].reason)
    assert result.tasks[1].try_number == 1


async def test_a_secret_that_goes_between_start_and_request_is_said(open_house: OpenHouse) -> None:
    secrets = FakeSecrets({"region": "vienna"})
    said: list[str] = []

    async def script(agent: FakeAgent) -> Exit:
        secrets.variables.clear()
        with pytest.raises(SecretMissing) as caught:
            await agent._desk.give_inputs(agent.launch.workload["token"])
        said.append(str(caught.value))
        return Exit(125)

    async with open_house(script, secrets) as house:
        await house.run(make_task("a", variables=("region",)))
    assert "AIRFLOW_VAR_REGION is not set" in said[0]


@pytest.mark.parametrize("parent", [PARENT, None, "nonsense"])
async def test_a_runs_trace_goes_on_in_each_try(open_house: OpenHouse, parent: str | None) -> None:
    async with open_house() as house:
        await house.run(make_task("a"), make_task("b"), traceparent=parent)
        given = [launch.environment.get("TRACEPARENT") for launch in house.executor.started]
    if parent != PARENT:
        assert given == [None, None]
    else:
        assert len(set(given)) == 2
        assert {str(text).split("-")[1] for text in given} == {PARENT.split("-")[1]}


async def test_a_workload_with_secrets_names_none(open_house: OpenHouse) -> None:
    secrets = FakeSecrets(connections={"db": f"pg://me:{SECRET}@h"})
    async with open_house(secrets=secrets) as house:
        await house.run(make_task("a", connections=("db",)))
        (launch,) = house.executor.started
    assert SECRET not in json.dumps(launch.workload)
    assert SECRET not in json.dumps(dict(launch.environment))
