"""The Pod of a try, as the cluster is asked for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.podoption import PodOptions
from leoflow_agent.spec import Quantities, Resources
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.pod.container import literal
from leoflow_controlplane.pod.making import make_pod
from leoflow_controlplane.pod.quantity import make_resources
from podgolden import MIB, SITE, minimal


def with_options(**options: Any) -> dict[str, Any]:
    """Make the Pod of a task that says ``options``."""
    launch = minimal()
    task = replace(launch.task, kubernetes=PodOptions(**options))
    return make_pod(launch._replace(task=task), SITE)


def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def variables(pod: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container(pod)["env"]}


def expand(text: str, known: dict[str, str]) -> str:
    """Expand ``text`` as the kubelet does: third_party/forked/golang/expansion/expand.go."""
    result, place = "", 0
    while place < len(text):
        if text[place] != "$" or place + 1 == len(text):
            result += text[place]
            place += 1
            continue
        if text[place + 1] == "(" and ")" in text[place:]:
            end = text.index(")", place)
            name = text[place + 2 : end]
            result += known.get(name, f"$({name})")
            place = end + 1
        elif text[place + 1] == "$":
            result += "$"
            place += 2
        else:
            result += text[place : place + 2]
            place += 2
    return result


@given(st.text(alphabet="$()AB x", max_size=12))
def test_the_kubelet_gives_values_as_they_were_declared(value: str) -> None:
    assert expand(literal(value), {"A": "wrong", "B": "wrong"}) == value


def test_a_task_s_own_variable_wins_over_the_dag_s() -> None:
    launch = minimal(environment={"HOME": "/data", "A": "1", "B": "2"})
    assert variables(make_pod(launch, SITE))["HOME"] == "/data"
    own = PodOptions(env=({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},))
    pod = make_pod(launch._replace(task=replace(launch.task, kubernetes=own)), SITE)
    names = [one["name"] for one in container(pod)["env"]]
    assert names.count("A") == 1
    assert container(pod)["env"][-1]["valueFrom"]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (
            Resources(Quantities(100, MIB)),
            {"requests": {"cpu": "100m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}},
        ),
        (
            Resources(Quantities(1000, MIB), Quantities(1500, 2 * MIB)),
            {
                "requests": {"cpu": "1", "memory": "1Mi"},
                "limits": {"cpu": "1500m", "memory": "2Mi"},
            },
        ),
        (
            Resources(Quantities(1, 1001, 1024), Quantities(extended={"a.b/c": 2})),
            {
                "requests": {
                    "cpu": "1m",
                    "memory": "1001",
                    "ephemeral-storage": "1Ki",
                    "a.b/c": "2",
                },
                "limits": {"memory": "1001", "a.b/c": "2"},
            },
        ),
    ],
)
def test_resources(resources: Resources, expected: dict[str, Any]) -> None:
    assert make_resources(resources) == expected


def test_artifacts_without_a_volume_of_the_run_have_no_place() -> None:
    with pytest.raises(LaunchFailed, match="staging") as caught:
        make_pod(minimal(artifacts="/x"), SITE)
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"LONG": "x" * 128 * 1024}, "the variable 'LONG' in environment has 128 KiB"),
        ({f"V{n}": "x" * 1000 for n in range(1100)}, "a Pod holds 1024 KiB"),
    ],
)
def test_more_environment_than_a_cluster_takes_is_refused(
    environment: dict[str, str], text: str
) -> None:
    with pytest.raises(LaunchFailed, match=text):
        make_pod(minimal(environment=environment), SITE)


def test_a_tmp_of_the_task_s_own_takes_the_place_of_leoflow_s() -> None:
    volume = {"name": "big", "emptyDir": {"sizeLimit": "50Gi"}}
    mount = {"name": "big", "mountPath": "/tmp/"}
    pod = with_options(volumes=(volume,), volume_mounts=(mount,))
    assert pod["spec"]["volumes"] == [volume]
    assert container(pod)["volumeMounts"] == [mount]


def test_what_the_site_says_is_a_default() -> None:
    site = SITE._replace(
        service_account="tasks",
        priority_class="low",
        image_pull_secrets=("site",),
        image_pull_policy="Never",
    )
    spec = make_pod(minimal(), site)["spec"]
    assert (spec["serviceAccountName"], spec["priorityClassName"]) == ("tasks", "low")
    assert spec["containers"][0]["imagePullPolicy"] == "Never"
    options = PodOptions(
        service_account_name="own",
        priority_class_name="high",
        image_pull_secrets=("own", "site"),
        image_pull_policy="Always",
    )
    launch = minimal()
    launch = launch._replace(task=replace(launch.task, kubernetes=options))
    spec = make_pod(launch, site)["spec"]
    assert (spec["serviceAccountName"], spec["priorityClassName"]) == ("own", "high")
    assert spec["imagePullSecrets"] == [{"name": "site"}, {"name": "own"}]
    assert spec["containers"][0]["imagePullPolicy"] == "Always"


def test_an_override_that_does_not_fit_fails_the_launch() -> None:
    with pytest.raises(LaunchFailed, match="pod_override does not fit: an item of Pod"):
        with_options(pod_override={"spec": {"containers": [{"image": "x"}]}})
