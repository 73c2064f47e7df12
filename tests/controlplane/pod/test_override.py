"""A strategic merge patch, as the API server's own tests have it.

The cases follow k8s.io/apimachinery/pkg/util/strategicpatch/patch_test.go.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from leoflow_controlplane.pod.override import OverrideInvalid, apply_override

BASE: dict[str, Any] = {
    "metadata": {"labels": {"a": "1"}, "finalizers": ["x/y"]},
    "spec": {
        "restartPolicy": "Never",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [
            {
                "name": "task",
                "command": ["a"],
                "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                "ports": [{"containerPort": 80, "name": "http"}],
            }
        ],
    },
}
TASK = BASE["spec"]["containers"][0]


def patched(patch: dict[str, Any]) -> dict[str, Any]:
    before = copy.deepcopy(BASE)
    result = apply_override(BASE, patch)
    assert before == BASE
    return result


def in_task(**patch: Any) -> dict[str, Any]:
    result = patched({"spec": {"containers": [{"name": "task", **patch}]}})
    found = result["spec"]["containers"][0]
    assert isinstance(found, dict)
    return found


def test_nothing_changes_nothing() -> None:
    assert patched({}) == BASE


def test_mappings_are_merged_and_null_takes_away() -> None:
    spec = patched({"spec": {"nodeSelector": {"zone": "a"}, "restartPolicy": None}})["spec"]
    assert spec["nodeSelector"] == {"disk": "ssd", "zone": "a"}
    assert "restartPolicy" not in spec


def test_items_with_a_key_are_merged_and_new_ones_are_added() -> None:
    found = in_task(env=[{"name": "Y", "value": "3"}, {"name": "Z", "value": "4"}])
    assert found == {
        **TASK,
        "env": [
            {"name": "X", "value": "1"},
            {"name": "Y", "value": "3"},
            {"name": "Z", "value": "4"},
        ],
    }


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"env": [{"name": "X", "$patch": "delete"}]}, [{"name": "Y", "value": "2"}]),
        (
            {"env": [{"$patch": "replace"}, {"name": "N", "value": "1"}]},
            [{"name": "N", "value": "1"}],
        ),
    ],
)
def test_directives_in_lists(patch: dict[str, Any], expected: list[Any]) -> None:
    assert in_task(**patch)["env"] == expected


def test_each_list_has_its_own_key() -> None:
    found = in_task(
        volumeMounts=[{"mountPath": "/v", "readOnly": True}],
        ports=[{"containerPort": 80, "protocol": "UDP"}],
    )
    assert found["volumeMounts"] == [{"name": "v", "mountPath": "/v", "readOnly": True}]
    assert found["ports"] == [{"containerPort": 80, "name": "http", "protocol": "UDP"}]


def test_lists_without_a_key_are_replaced() -> None:
    assert in_task(command=["b"])["command"] == ["b"]
    spec = patched({"spec": {"tolerations": [{"key": "b"}]}})["spec"]
    assert spec["tolerations"] == [{"key": "b"}]


def test_lists_of_names_are_added_to() -> None:
    metadata = patched({"metadata": {"finalizers": ["x/y", "z/z"]}})["metadata"]
    assert metadata["finalizers"] == ["x/y", "z/z"]


def test_a_mapping_can_be_replaced_or_deleted() -> None:
    replaced = patched({"spec": {"nodeSelector": {"$patch": "replace", "a": "b"}}})
    assert replaced["spec"]["nodeSelector"] == {"a": "b"}
    deleted = patched({"spec": {"nodeSelector": {"$patch": "delete"}}})
    assert "nodeSelector" not in deleted["spec"]


def test_null_means_nothing_in_what_is_new() -> None:
    spec = patched({"spec": {"volumes": [{"name": "n", "emptyDir": None, "secret": {"a": None}}]}})
    assert spec["spec"]["volumes"][1] == {"name": "n", "secret": {}}


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        ({"spec": {"containers": [{"image": "x"}]}}, "has no 'name'"),
        ({"spec": {"$patch": "retain"}}, "'\\$patch: retain' at Pod.spec is unknown"),
    ],
)
def test_what_fits_nothing_is_refused(patch: dict[str, Any], text: str) -> None:
    with pytest.raises(OverrideInvalid, match=text):
        patched(patch)
