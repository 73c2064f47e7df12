"""The container of a try, as the engine is asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from executor_contract import make_launch
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.spec import Quantities, Resources
from leoflow_controlplane.container import (
    ContainerSite,
    container_name,
    make_container,
    make_resources,
)
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.model import TryKey

SITE = ContainerSite("home", "instance", "/tmp/x/agent")
MIB = 1024**2


def test_the_whole_body() -> None:
    launch = make_launch("exit:0", artifacts=Path("/home/a"))
    assert make_container(launch, SITE) == {
        "Image": "leoflow-test-agent",
        "User": "65532:65532",
        "Env": [
            "BEHAVE=exit:0",
            "LEOFLOW_ARTIFACTS=/artifacts",
            'LEOFLOW_WORKLOAD={"token":"t","context":{"task_id":"t"},"inputs":null}',
        ],
        "Labels": {
            "leoflow.home": "home",
            "leoflow.instance": "instance",
            "leoflow.dag_id": "d",
            "leoflow.run_id": "r",
            "leoflow.task_id": "t1",
            "leoflow.map_index": "-1",
            "leoflow.try_number": "1",
        },
        "HostConfig": {
            "CpuShares": 102,
            "Memory": 64 * MIB,
            "MemorySwap": 64 * MIB,
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": "/tmp/x/agent",
                    "Target": "/run/leoflow",
                    "ReadOnly": True,
                },
                {
                    "Type": "bind",
                    "Source": "/home/a",
                    "Target": "/artifacts",
                    "ReadOnly": False,
                },
            ],
            "NetworkMode": "bridge",
            "ExtraHosts": [],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 4096,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "16m", "max-file": "1"}},
            "Init": False,
            "AutoRemove": False,
        },
    }


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"SHORT": "x", "LONG": "x" * 128 * 1024}, "the variable 'LONG' in environment has 128"),
        ({"LONG": "ä" * 64 * 1024}, "the variable 'LONG' in environment has 128 KiB"),
        ({f"V{number}": "x" * 1000 for number in range(2100)}, "its environment of 2101 variables"),
    ],
)
def test_more_environment_than_a_program_gets_is_refused(
    environment: dict[str, str], text: str
) -> None:
    launch = make_launch("")._replace(environment=environment)
    with pytest.raises(LaunchFailed, match=text) as caught:
        make_container(launch, SITE)
    assert not caught.value.transient


def test_over_the_network_nothing_is_mounted() -> None:
    body = make_container(make_launch("exit:0"), SITE._replace(socket_folder=None))
    assert body["HostConfig"]["Mounts"] == []


@pytest.mark.parametrize(
    ("resources", "settings"),
    [
        (Resources(Quantities(1, 1)), {"CpuShares": 2, "Memory": 1, "MemorySwap": 1}),
        (Resources(Quantities(250, 9)), {"CpuShares": 256, "Memory": 9, "MemorySwap": 9}),
        (Resources(Quantities(10**9, 1)), {"CpuShares": 262144, "Memory": 1, "MemorySwap": 1}),
        (
            Resources(Quantities(1000, 1), Quantities(1500, 2)),
            {"CpuShares": 1024, "NanoCpus": 1_500_000_000, "Memory": 2, "MemorySwap": 2},
        ),
    ],
)
def test_resources(resources: Resources, settings: dict[str, Any]) -> None:
    assert make_resources(resources) == settings


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1), st.integers(-1, 9**9))
def test_every_name_is_one_that_engines_take(
    dag_id: str, run_id: str, task_id: str, map_index: int
) -> None:
    name = container_name(TryKey(dag_id, run_id, task_id, map_index, 1), "home")
    assert len(name) <= 80
    assert all(c.isascii() and (c.isalnum() or c in "_.-") for c in name)


def test_names_tell_tries_and_homes_apart() -> None:
    key = TryKey("d", "r", "a", -1, 1)
    others = [
        key._replace(**{field: value}) for field, value in [("run_id", "s"), ("task_id", "b")]
    ]
    names = [container_name(item, "home") for item in (key, *others)]
    names += [container_name(key, "elsewhere"), container_name(key._replace(try_number=2), "home")]
    assert len(set(names)) == len(names)
    assert container_name(key, "home") == names[0]
