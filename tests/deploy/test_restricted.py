"""That the check of the restricted standard finds what it is for."""

from __future__ import annotations

from typing import Any

import pytest
from restricted import breaches

OWN = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def spec(own: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    container = {"name": "main", "securityContext": {**OWN, **(own or {})}}
    return {"securityContext": POD, "containers": [container], **pod}


def test_a_pod_that_passes_has_no_breach():
    assert breaches(spec()) == []


@pytest.mark.parametrize(
    "bad",
    [
        spec(hostNetwork=True),
        spec(hostPID=True),
        spec(volumes=[{"name": "x", "hostPath": {"path": "/"}}]),
        spec(securityContext={}),
        spec(securityContext={**POD, "runAsUser": 0}),
        spec(securityContext={**POD, "sysctls": [{"name": "a", "value": "b"}]}),
        spec(own={"privileged": True}),
        spec(own={"allowPrivilegeEscalation": True}),
        spec(own={"capabilities": {}}),
        spec(own={"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}),
        spec(own={"seccompProfile": {"type": "Unconfined"}}),
        spec(initContainers=[{"name": "first"}]),
    ],
)
def test_whatever_breaks_it_is_found(bad: dict[str, Any]):
    assert breaches(bad)
