"""That the NetworkPolicies of the chart let through what leoflow needs and hold back the rest, by
traffic, on a real cluster whose network plugin keeps to them. Run by `make test-kubernetes`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
import yaml
from clusterground import Ground, calls_of, post
from clusterpolicy import listening, look
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from nodeimage import ROOT

from deploy.render import render

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.networkpolicy,
    pytest.mark.timeout(900),
]

API_SERVER = "KUBERNETES_SERVICE_HOST:KUBERNETES_SERVICE_PORT"
SERVER = {
    "app.kubernetes.io/name": "leoflow",
    "app.kubernetes.io/instance": "leoflow",
    "app.kubernetes.io/component": "server",
}
TASK = {"leoflow.dev/realm": "leoflow"}
OTHER = {"leoflow.dev/realm": "another", "app.kubernetes.io/name": "leoflow"}
# Who reaches a server, a task, and something else at the same port; None: nobody asks.
REACH: dict[str, tuple[Mapping[str, str], tuple[bool, bool, bool]]] = {
    "a task": (TASK, (True, False, True)),
    "a replica": (SERVER, (True, False, False)),
    "anybody else": (OTHER, (False, False, True)),
}


@pytest.fixture
async def policed(ground: Ground) -> AsyncIterator[ApiCalls]:
    """A namespace with the policies of the chart."""
    async with calls_of(ground) as calls:
        text = render(ROOT / "deploy" / "helm" / "leoflow", {}, calls.namespace)
        path = f"/apis/networking.k8s.io/v1/namespaces/{calls.namespace}/networkpolicies"
        found = [one for one in yaml.safe_load_all(text) if one["kind"] == "NetworkPolicy"]
        assert len(found) == 2
        try:
            for one in found:
                await post(calls, path, one)
            yield calls
        finally:
            for one in found:
                await calls._connection.ask("DELETE", f"{path}/{one['metadata']['name']}")


async def test_policies_let_through_what_is_needed_and_nothing_else(
    policed: ApiCalls, ground: Ground
) -> None:
    image = ground.image
    async with (
        listening(policed, image, "leoflow-server", SERVER) as server,
        listening(policed, image, "leoflow-task", TASK) as task,
        listening(policed, image, "leoflow-other", OTHER) as other,
    ):
        for who, (labels, reached) in REACH.items():
            wanted = dict(zip((server, task, other), reached, strict=True))
            if labels is SERVER:
                wanted[API_SERVER] = True
            assert await look(policed, image, labels, wanted) == wanted, who
