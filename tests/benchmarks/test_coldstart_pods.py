"""Pods: what is asked of a cluster, and what is read out of the objects that one answers with."""

import json
import sys
from typing import Any

import pytest
from leoflow_agent import wire

from benchmarks.build.process import BenchError
from benchmarks.coldstart import kubernetes

ASKED, MINUTE = 1764107970.0, "2025-11-25T21:59"
# In the form of the core/v1 API, cut to what is read.
POD: dict[str, Any] = {
    "metadata": {"name": "leoflow-bench-1", "creationTimestamp": "2025-11-25T21:59:30Z"},
    "status": {
        "phase": "Running",
        "conditions": [
            {"type": "ContainersReady", "status": "True", "lastTransitionTime": f"{MINUTE}:32Z"},
            {"type": "Initialized", "status": "True", "lastTransitionTime": f"{MINUTE}:30Z"},
            {"type": "Ready", "status": "False", "lastTransitionTime": f"{MINUTE}:30Z"},
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": f"{MINUTE}:31Z"},
        ],
        "containerStatuses": [
            {"name": "task", "state": {"running": {"startedAt": f"{MINUTE}:32Z"}}}
        ],
    },
}


def test_a_pod_is_told_by_its_conditions_and_its_first_line() -> None:
    found = kubernetes.measures(POD, ASKED, ASKED + 0.25, f"{ASKED + 2.5} 0.05")
    assert found == {
        "created": 250.0,
        "container_started": 2000.0,
        "condition_ContainersReady": 2000.0,
        "condition_Initialized": 0.0,
        "condition_PodScheduled": 1000.0,
        "total": 2500.0,
    }


def test_a_pod_that_has_ended_is_told_as_well() -> None:
    ended = json.loads(json.dumps(POD).replace('"running"', '"terminated"'))
    found = kubernetes.measures(ended, ASKED, ASKED, f"{ASKED + 1} 0.05")
    assert found["container_started"] == 2000.0


def test_a_pod_without_its_line_is_named_with_what_it_printed() -> None:
    with pytest.raises(BenchError, match=r"'leoflow-bench-1'.*'exec format error'"):
        kubernetes.measures(POD, ASKED, ASKED, "exec format error")


def test_a_pod_runs_once_with_the_image_s_own_command_or_another() -> None:
    bare = kubernetes.pod("p", "image", ("python3.11", "-c", "pass"), None)["spec"]
    agent = kubernetes.pod("p", "image", (), "{}")["spec"]
    assert bare["restartPolicy"] == agent["restartPolicy"] == "Never"
    assert bare["containers"][0]["command"] == ["python3.11", "-c", "pass"]
    assert "command" not in agent["containers"][0]
    assert agent["containers"][0]["env"] == [{"name": "LEOFLOW_WORKLOAD", "value": "{}"}]


def test_the_agent_of_a_pod_gets_a_whole_workload() -> None:
    workload = json.loads(kubernetes.no_op_workload())
    assert set(workload) == set(wire.Workload.__annotations__)
    assert workload["context"]["task_id"] == "clock"


def test_without_the_package_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(BenchError, match="pip install kubernetes"):
        kubernetes.connect("image")
