"""What of a DAG only a cluster can honour, and what no cluster could."""

from __future__ import annotations

from typing import Any

import pytest
from house import RESOURCES, make_dag, make_task
from leoflow_agent.action import HttpAction
from leoflow_agent.podoption import PodOptions
from leoflow_agent.spec import Quantities, Resources
from leoflow_controlplane.podcheck import check_for_cluster, check_pod, tell_ignored
from leoflow_controlplane.taskcheck import check_task


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tolerations": ({"efect": "x"},)}, "kubernetes.tolerations.0.efect: unknown key 'efect'"),
        ({"volume_mounts": ({"name": "v", "mountPath": "/v"},)}, "there is no volume 'v'"),
        ({"pod_override": {"spec": {"restartPolicy": "Always"}}}, "cannot be changed"),
    ],
)
def test_a_pushed_task_is_held_to_the_builder_s_rules(options: dict[str, Any], text: str) -> None:
    task = make_task("a", kubernetes=PodOptions(**options))
    (found,) = check_task(task)
    assert text in found


def test_a_task_without_options_has_nothing_wrong_with_them() -> None:
    assert list(check_pod(make_task("a"))) == []
    assert list(check_pod(make_task("a", kubernetes=PodOptions()))) == []


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Quantities(extended={"gpu": 1}), "'gpu' is no name of a resource"),
        (Quantities(extended={"kubernetes.io/x": 1}), "are Kubernetes' own"),
        (Quantities(extended={"a.b/c": 0}), "resources.a.b/c is 0"),
        (Quantities(ephemeral_storage_bytes=1), "less than the 2 that are requested"),
    ],
)
def test_amounts_that_no_cluster_counts(limits: Quantities, text: str) -> None:
    requests = Quantities(100, 64, 2)
    (found,) = check_task(make_task("a", resources=Resources(requests, limits)))
    assert text in found


def test_artifacts_need_a_volume_of_the_run() -> None:
    task = make_task("a", artifacts=True)
    (found,) = check_for_cluster(make_dag(task))
    assert "dag.py:1: task 'a'" in found
    assert "staging: 1Gi" in found
    assert list(check_for_cluster(make_dag(task, staging_bytes=1))) == []


def test_what_has_no_effect_is_told_once_for_tasks_that_say_the_same() -> None:
    disk = PodOptions(node_selector={"disk": "ssd"}, automount_service_account_token=True)
    gpu = Resources(
        Quantities(100, 64, ephemeral_storage_bytes=5), Quantities(extended={"nvidia.com/gpu": 1})
    )
    inline = HttpAction(method="GET", url="http://example.com")
    dag = make_dag(
        make_task("a", kubernetes=disk),
        make_task("b", kubernetes=disk),
        make_task("c", resources=gpu),
        make_task("d", kubernetes=disk, action=inline),
        make_task("e", resources=RESOURCES),
        staging_bytes=1,
        staging_storage_class="nfs",
    )
    end = "no effect here, only with the executor 'kubernetes'"
    options = "kubernetes.node_selector, kubernetes.automount_service_account_token"
    amounts = "resources.requests.ephemeral_storage, resources.limits.nvidia.com/gpu"
    assert list(tell_ignored(dag)) == [
        f"dag.py:1: task 'a' and 1 more: {options} have {end}",
        f"dag.py:1: task 'c': {amounts} have {end}",
        f"DAG 'd': staging.storage_class has {end}",
    ]
