"""What stands between a request to create an object and its being stored, in the server's order:
fields, admission, values, policies, quota. Changes nothing but the object that it gives back.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from emulator.clock import now_text
from emulator.refusal import bad_request, forbidden, invalid, not_found
from emulator.resource import Resource
from emulator.schema import check_fields
from emulator.security import violations
from emulator.store import Key, Object, Store

ENFORCE = "pod-security.kubernetes.io/enforce"

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_NAME_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_LABEL_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character"
)


def admit(store: Store, resource: Resource, namespace: str, body: Any, strict: bool) -> Object:
    """Give ``body`` with what the server fills in, or raise the Refusal of whoever says no."""
    if not isinstance(body, dict) or body.get("kind", resource.kind) != resource.kind:
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    check_fields(resource, body, strict=strict)
    if resource.namespaced and store.get(Key("namespaces", "", namespace)) is None:
        raise not_found("namespaces", namespace)
    item = _filled_in(resource, namespace, body)
    name = item["metadata"]["name"]
    if resource.plural == "pods":
        item = _admit_pod(store, namespace, name, item)
    if causes := _wrong_values(item):
        raise invalid(resource.kind, name, causes)
    if resource.plural == "pods":
        _check_policy(store, namespace, name, item)
    if resource.namespaced:
        _check_quota(store, resource, namespace, name)
    return item


def _filled_in(resource: Resource, namespace: str, body: dict[str, Any]) -> Object:
    metadata = dict(body.get("metadata") or {})
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
    if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request(
            f"the namespace of the provided object does not match the namespace sent on the "
            f"request ({metadata['namespace']} != {namespace})"
        )
    metadata.setdefault("name", "")
    metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now_text())
    return {**body, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def _admit_pod(store: Store, namespace: str, name: str, pod: Object) -> Object:
    spec = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "serviceAccountName": "default",
        "enableServiceLinks": True,
        "priority": 0,
        **(pod.get("spec") or {}),
    }
    named = (
        ("serviceAccountName", "serviceaccounts", namespace, "error looking up service account "
         f'{namespace}/{{0}}: serviceaccount "{{0}}" not found'),
        ("priorityClassName", "priorityclasses", "", "no PriorityClass with name {0} was found"),
        ("runtimeClassName", "runtimeclasses", "",
         'pod rejected: RuntimeClass "{0}" not found'),
    )  # fmt: skip
    for field, resource, where, words in named:
        wanted = spec.get(field)
        if wanted and store.get(Key(resource, where, wanted)) is None:
            raise forbidden("pods", name, words.format(wanted))
    status = {"phase": "Pending", "qosClass": "Burstable"}
    return {**pod, "spec": spec, "status": status}


def _wrong_values(item: Object) -> list[tuple[str, str]]:
    metadata, causes = item["metadata"], []
    name = metadata["name"]
    if not name:
        causes.append(("metadata.name", "Required value: name or generateName is required"))
    elif len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        causes.append(("metadata.name", f'Invalid value: "{name}": {_NAME_WORDS}'))
    for value in (metadata.get("labels") or {}).values():
        if len(value) > 63:
            words = f'Invalid value: "{value}": must be no more than 63 bytes'
            causes.append(("metadata.labels", words))
        elif not _LABEL_VALUE.fullmatch(value):
            causes.append(("metadata.labels", f'Invalid value: "{value}": {_LABEL_WORDS}'))
    if item["kind"] == "Pod":
        causes += _wrong_pod(item["spec"])
    return causes


def _wrong_pod(spec: Object) -> list[tuple[str, str]]:
    causes = [] if spec.get("containers") else [("spec.containers", "Required value")]
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(kind) or ()):
            at = f"spec.{kind}[{number}]"
            causes += [
                (f"{at}.{field}", "Required value")
                for field in ("name", "image")
                if not container.get(field)
            ]
            causes += [
                (f"{at}.volumeMounts[{place}].name", f'Not found: "{mount.get("name")}"')
                for place, mount in enumerate(container.get("volumeMounts") or ())
                if mount.get("name") not in volumes
            ]
    return causes


def _check_policy(store: Store, namespace: str, name: str, pod: Object) -> None:
    labels = (store.get(Key("namespaces", "", namespace)) or {})["metadata"].get("labels") or {}
    if labels.get(ENFORCE) == "restricted" and (found := violations(pod["spec"])):
        words = f'violates PodSecurity "restricted:latest": {", ".join(found)}'
        raise forbidden("pods", name, words)


def _check_quota(store: Store, resource: Resource, namespace: str, name: str) -> None:
    for quota in store.all("resourcequotas", namespace):
        limit = quota["spec"].get("hard", {}).get(resource.plural)
        if limit is None:
            continue
        used = sum(not _is_over(item) for item in store.all(resource.plural, namespace))
        if used >= int(limit):
            words = (
                f"exceeded quota: {quota['metadata']['name']}, requested: {resource.plural}=1, "
                f"used: {resource.plural}={used}, limited: {resource.plural}={limit}"
            )
            raise forbidden(resource.plural, name, words)


def _is_over(item: Object) -> bool:
    return item.get("status", {}).get("phase") in ("Succeeded", "Failed")
