"""The Pods in tests/golden/pods: what they are, and that clusters take them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml
from leoflow_agent.podoption import PodOptions
from leoflow_agent.spec import DagSpec, Quantities
from podgolden import everything, file_of, pods, render
from podstandard import RULES

NAMES = [name for name, _ in pods()]
PODS = [name for name in NAMES if name != "claim"]
# Image volumes are known to the API server from 1.31 on.
VERSIONS = ("1.28", "1.32", "1.37")


@cache
def read(name: str) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(file_of(name).read_text(encoding="utf-8"))
    return body


@pytest.mark.parametrize("name", NAMES)
def test_a_launch_gives_the_golden_object(name: str) -> None:
    assert render(dict(pods())[name]) == file_of(name).read_text(encoding="utf-8")


def test_there_is_no_golden_file_that_nothing_gives() -> None:
    folder = file_of("minimal").parent
    assert sorted(path.stem for path in folder.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_clusters_know_every_field(name: str, version: str) -> None:
    if name.startswith("agent-image-volume") and version == "1.28":
        with pytest.raises(kubernetes_validate.ValidationError, match="image"):
            kubernetes_validate.validate(read(name), version, strict=True)
        return
    kubernetes_validate.validate(read(name), version, strict=True)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", PODS)
def test_pods_keep_to_the_restricted_standard(name: str, rule: Any) -> None:
    assert list(rule(read(name))) == []


BREACHES: dict[str, dict[str, Any]] = {
    "host_process": {"securityContext": {"windowsOptions": {"hostProcess": True}}},
    "host_namespaces": {"hostPID": True},
    "privileged_containers": {"securityContext": {"privileged": True}},
    "host_path_volumes": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
    "volume_types": {"volumes": [{"name": "x", "nfs": {"server": "s", "path": "/"}}]},
    "app_armor": {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
    "se_linux": {"securityContext": {"seLinuxOptions": {"user": "u"}}},
    "proc_mount": {"securityContext": {"procMount": "Unmasked"}},
    "sysctls": {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    "running_as_non_root": {"securityContext": {"runAsNonRoot": False}},
    "running_as_non_root_user": {"securityContext": {"runAsUser": 0}},
    "seccomp": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    "capabilities": {"containers": [{"name": "x"}]},
    "privilege_escalation": {"containers": [{"name": "x"}]},
    "host_ports": {"containers": [{"name": "x", "ports": [{"hostPort": 80}]}]},
    "host_probes": {
        "containers": [{"name": "x", "livenessProbe": {"httpGet": {"host": "10.0.0.1"}}}]
    },
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_sees_its_breach(rule: Any) -> None:
    pod = read("minimal")
    assert list(rule({**pod, "spec": {**pod["spec"], **BREACHES[rule.__name__]}}))


def test_the_golden_task_says_everything_that_can_be_said() -> None:
    launch = everything()
    assert launch.task.kubernetes is not None
    said = [launch.task.kubernetes, launch.task.resources.requests, launch.task.resources.limits]
    unsaid = {
        f"{type(one).__name__}.{field.name}"
        for one in said
        for field in fields(one)
        if getattr(one, field.name) == getattr(type(one)(), field.name)
    }
    assert unsaid == set()
    staging = [field.name for field in fields(DagSpec) if field.name.startswith("staging_")]
    untold = [
        name
        for name in staging
        if getattr(launch, name) == next(f.default for f in fields(DagSpec) if f.name == name)
    ]
    assert untold == []


def test_every_word_of_the_golden_task_is_in_its_pod() -> None:
    launch = everything()
    pod = str(list(leaves(read("everything"))))
    options = launch.task.kubernetes
    assert options is not None
    for field in fields(PodOptions):
        value = getattr(options, field.name)
        for leaf in leaves(value):
            assert repr(leaf) in pod, f"{field.name}: {leaf!r} is not in the Pod"


def test_making_a_pod_changes_nothing_of_what_it_is_made_of() -> None:
    launch = everything()
    before = copy.deepcopy(launch.task)
    dict(pods())
    assert launch.task == before


def leaves(value: Any) -> Iterator[Any]:
    """Yield every scalar in a value, and the keys of its mappings."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one)
    elif value is not None:
        yield value


def test_quantities_hold_nothing_that_a_pod_does_not() -> None:
    # A field that is new here has to be written into Pods: pod/quantity.py.
    known = {"cpu_millis", "memory_bytes", "ephemeral_storage_bytes", "extended"}
    assert {field.name for field in fields(Quantities)} == known
