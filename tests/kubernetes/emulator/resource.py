"""Which kinds of objects the emulator keeps, and where their collections are in the API. Data."""

from __future__ import annotations

from typing import NamedTuple


class Resource(NamedTuple):
    """A kind of objects. ``group`` is empty for the core group."""

    plural: str
    kind: str
    group: str = ""
    namespaced: bool = True
    version: str = "v1"

    @property
    def api_version(self) -> str:
        """As objects name it."""
        return f"{self.group}/{self.version}" if self.group else self.version


RESOURCES = {
    item.plural: item
    for item in (
        Resource("pods", "Pod"),
        Resource("persistentvolumeclaims", "PersistentVolumeClaim"),
        Resource("events", "Event"),
        Resource("configmaps", "ConfigMap"),
        Resource("secrets", "Secret"),
        Resource("serviceaccounts", "ServiceAccount"),
        Resource("resourcequotas", "ResourceQuota"),
        Resource("namespaces", "Namespace", namespaced=False),
        Resource("nodes", "Node", namespaced=False),
        Resource("daemonsets", "DaemonSet", "apps"),
        Resource("jobs", "Job", "batch"),
        Resource("priorityclasses", "PriorityClass", "scheduling.k8s.io", namespaced=False),
        Resource("runtimeclasses", "RuntimeClass", "node.k8s.io", namespaced=False),
        Resource("storageclasses", "StorageClass", "storage.k8s.io", namespaced=False),
    )
}
