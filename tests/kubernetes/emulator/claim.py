"""The controller that keeps the claim of a volume until no Pod needs it: pvc-protection."""

from __future__ import annotations

from emulator.clock import now_text
from emulator.store import Change, Key, Object, Store


class ClaimProtection:
    """Ends deleted claims once the last Pod that has one is over."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.follow(self._take)

    def delete(self, claim: Object) -> Object:
        """Delete a claim, or mark it while a Pod runs on it."""
        metadata = claim["metadata"]
        key = Key("persistentvolumeclaims", metadata["namespace"], metadata["name"])
        if not self._is_used(key):
            return self._store.drop(key)
        going = {**metadata, "deletionTimestamp": now_text()}
        going["finalizers"] = ["kubernetes.io/pvc-protection"]
        return self._store.put(key, {**claim, "metadata": going})

    def _take(self, change: Change) -> None:
        if change.key.resource != "pods":
            return
        for name in claims_of(change.object):
            key = Key("persistentvolumeclaims", change.key.namespace, name)
            claim = self._store.get(key)
            if claim is None or "deletionTimestamp" not in claim["metadata"]:
                continue
            if not self._is_used(key):
                self._store.drop(key)

    def _is_used(self, key: Key) -> bool:
        return any(
            key.name in claims_of(pod)
            for pod in self._store.all("pods", key.namespace)
            if pod["spec"].get("nodeName")
            and pod["status"].get("phase") not in ("Succeeded", "Failed")
        )


def claims_of(pod: Object) -> list[str]:
    """Give the names of the claims that a Pod needs."""
    return [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    ]


def missing_claim(store: Store, pod: Object) -> str | None:
    """Say, as the scheduler does, which claim of a Pod cannot be had."""
    for name in claims_of(pod):
        claim = store.get(Key("persistentvolumeclaims", pod["metadata"]["namespace"], name))
        if claim is None:
            return f'0/1 nodes are available: persistentvolumeclaim "{name}" not found.'
        if "deletionTimestamp" in claim["metadata"]:
            return f'0/1 nodes are available: persistentvolumeclaim "{name}" is being deleted.'
    return None
