"""Which fields of a Pod a cluster is found to have left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from leoflow_controlplane.pod.dropped import find_dropped

PODS = sorted((Path(__file__).parents[2] / "golden" / "pods").glob("*.yaml"))
SENT: dict[str, Any] = {
    "metadata": {"name": "p", "labels": {"a/b": "c"}},
    "spec": {
        "containers": [{"name": "task", "command": ["x"], "env": [], "tty": False}],
        "volumes": [
            {"name": "agent", "image": {"reference": "r"}},
            {"name": "tmp", "emptyDir": {}},
        ],
        "tolerations": [{"operator": "Exists", "tolerationSeconds": 3}],
    },
}


@pytest.mark.parametrize("file", PODS, ids=lambda file: file.name)
def test_nothing_is_missed_of_what_was_taken_whole(file: Path) -> None:
    pod = yaml.safe_load(file.read_text())
    assert list(find_dropped(pod, {**pod, "status": {"phase": "Pending"}})) == []


def spec_with(**fields: Any) -> dict[str, Any]:
    return {**SENT, "spec": {**SENT["spec"], **fields}}


ANSWERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "what is empty is left out": (
        spec_with(containers=[{"name": "task", "command": ["y"]}]),
        [],
    ),
    "a webhook adds a container before it": (
        spec_with(containers=[{"name": "proxy"}, *SENT["spec"]["containers"]]),
        [],
    ),
    "a webhook adds one to a list without names": (
        spec_with(tolerations=[{"operator": "Exists"}, *SENT["spec"]["tolerations"]]),
        [],
    ),
    "a field of a volume": (
        spec_with(volumes=[{"name": "agent", "emptyDir": {}}, {"name": "tmp"}]),
        ["spec.volumes[agent].image"],
    ),
    "a volume": (spec_with(volumes=[{"name": "tmp"}]), ["spec.volumes[agent]"]),
    "all volumes": ({**SENT, "spec": {**SENT["spec"], "volumes": None}}, ["spec.volumes"]),
    "a field of what has no name": (
        spec_with(tolerations=[{"operator": "Exists"}]),
        ["spec.tolerations[0].tolerationSeconds"],
    ),
    "a label": ({**SENT, "metadata": {"name": "p", "labels": {}}}, ["metadata.labels.a/b"]),
}


@pytest.mark.parametrize(("answered", "paths"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_was_left_out_is_named(answered: dict[str, Any], paths: list[str]) -> None:
    assert list(find_dropped(SENT, answered)) == paths


def test_mounts_of_one_volume_are_told_apart() -> None:
    mounts = [
        {"name": "data", "mountPath": "/a", "subPath": "a", "readOnly": True},
        {"name": "data", "mountPath": "/b"},
    ]
    cut = [{"name": "data", "mountPath": "/a", "readOnly": True}, mounts[1]]
    assert list(find_dropped({"mounts": mounts}, {"mounts": mounts})) == []
    assert list(find_dropped({"mounts": mounts}, {"mounts": cut})) == ["mounts[data].subPath"]
