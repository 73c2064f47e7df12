"""The container of a try, as the engine is asked for it."""

from __future__ import annotations

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
    make_labels,
    make_resources,
    read_run,
    read_try,
    volume_name,
)
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.model import RunKey, TryKey

SITE = ContainerSite("home", "instance", "/tmp/x/agent")
MIB = 1024**2


def test_the_whole_body() -> None:
    launch = make_launch("exit:0", artifacts="/home/a")
    assert make_container(launch, SITE) == {
        "Image": "leoflow-test-agent",
        "User": "65532:65532",
        "Env": [
            "BEHAVE=exit:0",
            "LEOFLOW_ARTIFACTS=/artifacts",
            'LEOFLOW_WORKLOAD={"token":"t","context":{"task_id":"t"},"inputs":null,'
            '"grace_seconds":5.0}',
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


def test_a_run_with_a_shared_folder_has_a_volume_in_each_container() -> None:
    body = make_container(make_launch("exit:0", staging=5), SITE)
    assert {"LEOFLOW_STAGING=/staging", "LEOFLOW_STAGING_BYTES=5"} < set(body["Env"])
    labels = {
        "leoflow.home": "home",
        "leoflow.instance": "instance",
        "leoflow.dag_id": "d",
        "leoflow.run_id": "r",
    }
    assert body["HostConfig"]["Mounts"][-1] == {
        "Type": "volume",
        "Source": volume_name(RunKey("d", "r"), "home"),
        "Target": "/staging",
        "VolumeOptions": {"NoCopy": True, "Labels": labels},
    }
    assert read_run(labels) == RunKey("d", "r")


def test_each_run_has_a_volume_of_its_own() -> None:
    names = {volume_name(RunKey("d", run_id), home) for run_id in "ab" for home in "cd"}
    assert len(names) == 4
    assert all(name.startswith("leoflow-staging-d-") for name in names)


@given(st.builds(TryKey, st.text(), st.text(), st.text(), st.integers(-1), st.integers(1)))
def test_a_try_is_found_again_by_its_labels(key: TryKey) -> None:
    assert read_try(make_labels(key, SITE)) == key


@pytest.mark.parametrize(
    "labels", [{}, {**make_labels(TryKey("d", "r", "t", 0, 1), SITE), "leoflow.map_index": "x"}]
)
def test_labels_of_another_hand_are_of_no_try(labels: dict[str, str]) -> None:
    assert read_try(labels) is None
