"""The chart, rendered by Helm's own engine, and checked by the schemas of several Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from leoflow_controlplane.executor.cluster import permission
from leoflow_controlplane.kubernetesoption import KUBERNETES_OPTIONS
from leoflow_controlplane.serveroption import SERVER_OPTIONS
from leoflow_controlplane.setting import OPTIONS
from podstandard import RULES

from deploy.render import manifests, render

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "leoflow"
# The oldest that Chart.yaml allows, one between, and the newest.
VERSIONS = ("1.27", "1.32", kubernetes_validate.latest_version())
# The executor does without it, and has fewer words then for why a Pod does not start.
BETTER_WORDS = permission.Right("list", "events")
Objects = dict[str, dict[str, Any]]

EVERYTHING: dict[str, Any] = {
    "image": {"digest": f"sha256:{'0' * 64}", "pullPolicy": "Always", "pullSecrets": ["registry"]},
    "replicas": 3,
    "secret": {"name": "leoflow-keys"},
    "settings": {"max_parallel_tasks": 200, "log_format": "json", "allowed_hosts": "a.test,b.test"},
    "tasks": {
        "namespace": "tasks",
        "realm": "main",
        "agentUrl": "http://$(POD_IP):8080",
        "serviceAccount": "tries",
        "imagePullSecrets": ["one", "two"],
        "agentImage": "registry.test/agent:1",
        "agentMount": "image-volume",
        "prepull": True,
    },
    "serviceAccount": {"annotations": {"cloud/role": "leoflow"}},
    "service": {"type": "LoadBalancer", "port": 80, "annotations": {"internal": "true"}},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "host": "leoflow.test",
        "tlsSecret": "leoflow-tls",
        "annotations": {"a": "b"},
    },
    "networkPolicy": {
        "clients": [{"namespaceSelector": {"matchLabels": {"team": "data"}}}],
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "strategy": "RollingUpdate",
    "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "x", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
}
SQLITE: dict[str, Any] = {"database": {"kind": "sqlite", "storageClass": "-"}}
LITTLE: dict[str, Any] = {
    "replicas": 1,
    "networkPolicy": {"enabled": False},
    "rbac": {"create": False},
    "serviceAccount": {"create": False},
    "tls": {"secret": "leoflow-tls"},
    "serviceMonitor": {"enabled": True},
}
CASES = {"defaults": {}, "everything": EVERYTHING, "sqlite": SQLITE, "little": LITTLE}
every_case = pytest.mark.parametrize("values", CASES.values(), ids=CASES)


def objects(values: Mapping[str, Any]) -> Objects:
    """Render the chart; by "Kind/name"."""
    documents = yaml.safe_load_all(render(CHART, values))
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in documents}


def pod_of(made: Objects) -> dict[str, Any]:
    pod: dict[str, Any] = made["Deployment/leoflow"]["spec"]["template"]["spec"]
    return pod


def variables_of(made: Objects) -> dict[str, Any]:
    return {one["name"]: one for one in pod_of(made)["containers"][0]["env"]}


@every_case
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_one_that_kubernetes_knows(values: dict[str, Any], version: str):
    for name, one in objects(values).items():
        # Not Kubernetes' own: the Prometheus operator brings it.
        if one["kind"] != "ServiceMonitor":
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                pytest.fail(f"{name}: {error.message} at {list(error.path)}")


def test_helm_has_nothing_to_find_fault_with():
    found = helm_python.lint(CHART)
    assert found["errors"] == []
    # An icon is for catalogues.
    assert [one for one in found["messages"] if "icon" not in one["error"]] == []


@every_case
def test_the_server_passes_the_restricted_standard(values: dict[str, Any]):
    pod = pod_of(objects(values))
    assert [*chain.from_iterable(rule({"spec": pod}) for rule in RULES)] == []
    container = pod["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize(("prepull", "staging"), [(False, True), (True, True), (False, False)])
def test_the_role_grants_what_the_executor_needs_and_no_more(prepull: bool, staging: bool):
    role = objects({"tasks": {"prepull": prepull, "staging": staging}})["Role/leoflow"]
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    rights = (
        *permission.NEEDED,
        *(permission.FOR_STAGING if staging else ()),
        BETTER_WORDS,
        *(permission.FOR_PREPULL if prepull else ()),
    )
    needed = {
        (one.group, "/".join(filter(None, (one.resource, one.subresource))), one.verb)
        for one in rights
    }
    assert granted == needed


@every_case
def test_what_the_chart_sets_are_settings_that_the_server_has(values: dict[str, Any]):
    known = {
        f"LEOFLOW_{one.name.upper()}" for one in (*SERVER_OPTIONS, *OPTIONS, *KUBERNETES_OPTIONS)
    }
    own = {name for name in variables_of(objects(values)) if name.startswith("LEOFLOW_")}
    assert own <= known


def test_the_plain_manifests_are_what_the_chart_gives():
    written = {
        file.name: file.read_text(encoding="utf-8")
        for file in (ROOT / "deploy" / "manifests").glob("*.yaml")
    }
    assert written == manifests(CHART), "run `make manifests`, and commit what it wrote"


def test_a_sqlite_server_keeps_its_home_on_a_claim_that_outlives_it():
    made = objects(SQLITE)
    claim = made["PersistentVolumeClaim/leoflow"]
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"]["storageClassName"] == ""
    home = next(one for one in pod_of(made)["volumes"] if one["name"] == "home")
    assert home["persistentVolumeClaim"]["claimName"] == "leoflow"
    assert "LEOFLOW_DATABASE_URL" not in variables_of(made)


def test_rights_and_the_policy_of_tries_are_where_the_tries_are():
    made = objects({"tasks": {"namespace": "tasks"}})
    for name in ("Role/leoflow", "RoleBinding/leoflow", "NetworkPolicy/leoflow-tasks"):
        assert made[name]["metadata"]["namespace"] == "tasks"
    assert made["RoleBinding/leoflow"]["subjects"][0]["namespace"] == "leoflow"
    agents = made["NetworkPolicy/leoflow"]["spec"]["ingress"][0]["from"][0]
    labels = agents["namespaceSelector"]["matchLabels"]
    assert labels == {"kubernetes.io/metadata.name": "tasks"}


def test_probes_name_an_allowed_host():
    container = pod_of(objects(EVERYTHING))["containers"][0]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "a.test"}]


def test_several_replicas_are_not_all_evicted_at_once():
    assert "PodDisruptionBudget/leoflow" in objects({"replicas": 2})
    assert "PodDisruptionBudget/leoflow" not in objects({"replicas": 1})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 2}, "replica"),
        ({"image": {"tags": "x"}}, "tags"),
        ({"database": {"kind": "mysql"}}, "postgresql"),
        ({"replicas": 2, "database": {"kind": "sqlite"}}, "a SQLite file has one server"),
        ({"replicas": 2, "tls": {"secret": "x"}}, "no certificate names"),
        ({"settings": {"port": 1}}, "settings.port is the chart's own"),
        ({"settings": {"secret_key": "x"}}, "put it into the Secret 'leoflow'"),
        ({"ingress": {"enabled": True}}, "Set ingress.host"),
        ({"extraEnv": [{"name": "LEOFLOW_PORT", "value": "1"}]}, "set settings.port"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(values: dict[str, Any], words: str):
    with pytest.raises(helm_python.HelmError, match=words):
        render(CHART, values)
