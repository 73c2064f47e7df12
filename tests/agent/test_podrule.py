"""What a task may say of its Pod."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from leoflow_agent.podname import bad_dns_label, bad_label_key, bad_label_value, bad_mount
from leoflow_agent.podoption import PodOptions
from leoflow_agent.podrule import OPTIONS, check_options, check_together

TASK = {"name": "task"}


def told(**said: Any) -> list[str]:
    return [f"{'.'.join(map(str, flaw.path))}: {flaw.message}" for flaw in check_options(said)]


def overridden(spec: dict[str, Any]) -> list[str]:
    return [one.removeprefix("pod_override.spec.") for one in told(pod_override={"spec": spec})]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"nodeSelector": {}}, "unknown key 'nodeSelector'. Did you mean 'node_selector'?"),
        ({"resources": {}}, "unknown key 'resources': write it beside 'kubernetes'"),
        ({"hostNetwork": True}, "'hostNetwork': write pod_override: {spec: {hostNetwork: …}}"),
        ({"tty": True}, "write pod_override: {spec: {containers: [{name: task, tty: …}]}}"),
        ({"node_selector": {"disk": True}}, "node_selector.disk: has to be text"),
        ({"node_selector": {"a b": "c"}}, "node_selector.a b: 'a b' has to be 1 to 63 letters"),
        ({"labels": {"x": "-"}}, "labels.x: '-' has to be at most 63 letters"),
        ({"labels": {"leoflow.dev/dag-id": "x"}}, "'leoflow.dev/dag-id' is leoflow's own"),
        ({"annotations": {"leoflow.dev/x": "x"}}, "'leoflow.dev/x' is leoflow's own"),
        ({"annotations": {"a": "x" * 300_000}}, "annotations: are 292 KiB together"),
        ({"tolerations": {"key": "a"}}, "tolerations: has to be a list, not dict"),
        (
            {"tolerations": [{"Key": "a"}]},
            "tolerations.0.Key: unknown key 'Key'. Did you mean",
        ),
        (
            {"tolerations": [{"effect": "noSchedule"}]},
            "tolerations.0.effect: 'noSchedule' is none that Kubernetes knows. Did you mean 'NoSch",
        ),
        ({"tolerations": [{"tolerationSeconds": "5"}]}, "has to be a whole number, not '5'"),
        (
            {"topology_spread_constraints": [{"maxSkew": 1, "topologyKey": "zone"}]},
            "topology_spread_constraints.0: 'whenUnsatisfiable' is missing",
        ),
        (
            {"affinity": {"nodeAffinity": {"required": {}}}},
            "affinity.nodeAffinity.required: unknown key 'required'. Known are",
        ),
        ({"priority_class_name": "High"}, "priority_class_name: 'High' has to be small letters"),
        ({"image_pull_secrets": ["a", "B"]}, "image_pull_secrets.1: 'B' has to be small letters"),
        ({"image_pull_policy": "always"}, "Did you mean 'Always'?"),
        ({"env": [{"name": "LEOFLOW_X", "value": "1"}]}, "names with LEOFLOW_ are leoflow's own"),
        ({"env": [{"value": "1"}]}, "env.0: 'name' is missing"),
        ({"env": [{"name": "A"}]}, "env.0: 'A' has to have either 'value' or 'valueFrom'"),
        ({"env": [{"name": "A", "value": 1}]}, "env.0.value: has to be text: write it in quotes"),
        ({"env_from": [{"prefix": "X_"}]}, "has to have either 'secretRef' or 'configMapRef'"),
        ({"volumes": [{"name": "leoflow-tmp", "emptyDir": {}}]}, "names with leoflow- are"),
        ({"volumes": [{"name": "v"}]}, "volume 'v' does not say what it is"),
        ({"volumes": [{"name": "v", "emptyDir": {}, "nfs": {"server": "s", "path": "/"}}]}, "keep"),
        ({"volume_mounts": [{"name": "v", "mountPath": "v"}]}, "mountPath 'v' has to be a whole"),
        ({"volume_mounts": [{"name": "v", "mountPath": "/opt"}]}, "would hide '/opt/leoflow'"),
        ({"security_context": {"runAsRoot": True}}, "security_context.runAsRoot: unknown key"),
        ({"pod_override": []}, "pod_override: has to be a mapping"),
        ({"pod_override": {"kind": "Job"}}, "pod_override.kind: 'kind' is leoflow's own"),
        ({"pod_override": {"metadata": {"name": "x"}}}, "'name' is leoflow's own"),
        (
            {"pod_override": {"metadata": {"labels": {"leoflow.dev/owner": "x"}}}},
            "'leoflow.dev/owner' is leoflow's own",
        ),
        ({"pod_override": {"$patch": "replace"}}, "'pod_override' cannot be replaced or removed"),
        (
            {"pod_override": {"metadata": {"labels": None}}},
            "'labels' cannot be replaced or removed",
        ),
    ],
)
def test_what_kubernetes_or_leoflow_would_not_take(said: dict[str, Any], text: str) -> None:
    found = told(**said)
    assert len(found) == 1
    assert text in found[0]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"restartPolicy": "Always"}, "'restartPolicy' cannot be changed: a try runs once"),
        ({"containers": [{**TASK, "command": ["x"]}]}, "'command' cannot be changed: the agent"),
        ({"containers": [{**TASK, "image": "x"}]}, "'image' cannot be changed"),
        ({"containers": [{**TASK, "$patch": "delete"}]}, "cannot be replaced or removed"),
        ({"containers": [{"$patch": "replace"}]}, "'containers' cannot be replaced or removed"),
        ({"containers": None}, "'containers' cannot be replaced or removed"),
        (
            {"containers": [{**TASK, "env": [{"name": "LEOFLOW_WORKLOAD", "$patch": "delete"}]}]},
            "names with LEOFLOW_ are leoflow's own",
        ),
        ({"containers": [{**TASK, "env": None}]}, "'env' cannot be replaced or removed"),
        (
            {"containers": [{**TASK, "volumeMounts": [{"mountPath": "/staging", "name": "x"}]}]},
            "would hide '/staging'",
        ),
        ({"containers": [{"name": "side", "image": "x"}]}, "write it under initContainers"),
        ({"containers": [{"image": "x"}]}, "'name' is missing"),
        ({"initContainers": [{"name": "leoflow-agent"}]}, "'leoflow-agent' is leoflow's own"),
        ({"volumes": [{"name": "leoflow-tmp", "$patch": "delete"}]}, "cannot be changed"),
        ({"hostAlias": []}, "unknown key 'hostAlias'. Did you mean 'hostAliases'?"),
        (None, "'spec' cannot be replaced or removed"),
    ],
)
def test_what_an_override_may_not_touch(spec: Any, text: str) -> None:
    assert any(text in one for one in overridden(spec))


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"tolerations": None, "affinity": None, "labels": {}},
        {"volume_mounts": [{"name": "v", "mountPath": "/tmp"}]},
        {"volume_mounts": [{"name": "v", "mountPath": "/dev/shm"}]},
        {"annotations": {"Example.com/Owner": "anything, ä"}},
        {
            "pod_override": {
                "spec": {
                    "dnsConfig": None,
                    "hostNetwork": True,
                    "initContainers": [{"name": "proxy", "image": "p", "restartPolicy": "Always"}],
                    "containers": [{"name": "task", "env": [{"name": "A", "$patch": "delete"}]}],
                }
            }
        },
    ],
)
def test_what_may_be_said(said: dict[str, Any]) -> None:
    assert told(**said) == []


def test_all_mistakes_are_told_at_once() -> None:
    assert len(told(nodeSelector={}, tolerations=[{"a": 1}, {"b": 1}], image_pull_policy="x")) == 4


def test_every_option_has_a_rule() -> None:
    assert tuple(field.name for field in fields(PodOptions)) == OPTIONS
    for name in OPTIONS:
        assert told(**{name: object()}), f"{name} may be anything"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"volume_mounts": [{"name": "v", "mountPath": "/v"}]}, "there is no volume 'v'"),
        ({"volumes": [{"name": "v"}, {"name": "v"}]}, "'v' is there twice"),
        ({"env": [{"name": "A"}, {"name": "A"}]}, "'A' is there twice"),
    ],
)
def test_what_options_cannot_mean_together(said: dict[str, Any], text: str) -> None:
    assert [text in flaw.message for flaw in check_together(said)] == [True]


def test_a_volume_of_an_override_can_be_mounted() -> None:
    mounts = [{"name": "v", "mountPath": "/v"}]
    patch = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    assert list(check_together({"volume_mounts": mounts, "pod_override": patch})) == []


# The first are from k8s.io/apimachinery/pkg/util/validation/validation_test.go.
@pytest.mark.parametrize("key", ["simple", "now-with-dashes", "1-starts-with-num", "x.y/Z_9", "a"])
def test_keys_of_labels(key: str) -> None:
    assert bad_label_key(key) is None


@pytest.mark.parametrize(
    "key", ["", "nospecialchars%^=@", "-a", "a/b/c", "/a", "a/", "X.y/z", "x" * 64]
)
def test_keys_that_are_none(key: str) -> None:
    assert bad_label_key(key)


def test_values_of_labels_may_be_empty() -> None:
    assert bad_label_value("") is None
    assert bad_label_value("x" * 64)


@pytest.mark.parametrize(
    ("name", "is_bad"), [("a-1", False), ("1a", False), ("A", True), ("", True)]
)
def test_names_of_containers(name: str, is_bad: bool) -> None:
    assert (bad_dns_label(name) is not None) is is_bad


@pytest.mark.parametrize(
    "path", ["/", "//staging", "/staging/x/..", "/opt/leoflow/dag", "/a:b", ""]
)
def test_where_nothing_may_be_mounted(path: str) -> None:
    assert bad_mount("v", path)
