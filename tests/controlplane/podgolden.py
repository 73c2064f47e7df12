"""The Pods in tests/golden/pods, and the launches that give them. Run it to write them anew."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from leoflow_agent.action import PythonAction
from leoflow_agent.spec import DagSpec, Quantities, Resources, Source, TaskSpec
from leoflow_agent.wire import Workload
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.pod.claim import make_claim
from leoflow_controlplane.pod.making import make_pod
from leoflow_controlplane.pod.site import PodSite
from pydantic import TypeAdapter

GOLDEN = Path(__file__).parents[1] / "golden"
IMAGE = "registry.example/weather@sha256:" + "a" * 64
AGENT_IMAGE = "registry.example/leoflow-agent@sha256:" + "b" * 64
SITE = PodSite("data", realm_id="realm-1", owner_id="server")
MIB = 1024**2


def workload(task_id: str, grace_seconds: float = 10.0) -> Workload:
    """A workload of which a Pod's maker reads no more than this."""
    document = {"token": "t", "context": {"task_id": task_id}, "grace_seconds": grace_seconds}
    return cast("Workload", document)


def minimal(**fields: Any) -> Launch:
    """The launch of a task that says nothing of its Pod."""
    task = TaskSpec(
        "load",
        PythonAction("dag", None),
        Resources(Quantities(100, 64 * MIB)),
        Source("dag.py", 3),
    )
    key = TryKey("weather", "manual__2026-01-01T00:00:00+00:00", "load", -1, 1)
    launch = Launch(key, IMAGE, workload("load"), task, {}, None, python_version="3.11")
    return launch._replace(**fields)


@cache
def everything() -> Launch:
    """The launch of a task that says all that can be said: tests/golden/kubernetes."""
    document = (GOLDEN / "kubernetes" / "dag.json").read_bytes()
    spec = TypeAdapter(DagSpec).validate_json(document)
    (task,) = spec.tasks
    key = TryKey(spec.dag_id, "backfill__2026-01-01", task.task_id, 17, 2)
    return Launch(
        key,
        IMAGE,
        workload(task.task_id),
        task,
        spec.environment,
        artifacts="words",
        staging_bytes=spec.staging_bytes,
        staging_storage_class=spec.staging_storage_class,
        staging_access_mode=spec.staging_access_mode,
    )


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each golden object with the name of its file."""
    yield "minimal", make_pod(minimal(), SITE)
    yield "everything", make_pod(everything(), SITE)
    volume = SITE._replace(agent_image=AGENT_IMAGE, image_pull_secrets=("registry",))
    yield "agent-image-volume", make_pod(minimal(), volume)
    copied = volume._replace(agent_mount="init-container")
    yield "agent-init-container", make_pod(minimal(), copied)
    other = minimal(python_version="3.12")
    yield "agent-image-volume-sources", make_pod(other, volume)
    yield "agent-init-container-sources", make_pod(other, copied)
    shared = minimal(staging_bytes=1024 * MIB, artifacts="words", run_leaves_artifacts=True)
    yield "staging", make_pod(shared, SITE)
    claim, kept = make_claim(everything(), SITE), make_claim(shared, SITE)
    assert claim is not None
    assert kept is not None
    yield "claim", claim
    yield "claim-with-artifacts", kept


def render(body: dict[str, Any]) -> str:
    """Return the text of a golden file."""
    return str(yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120))


def file_of(name: str) -> Path:
    """Return the file of a golden object."""
    return GOLDEN / "pods" / f"{name}.yaml"


if __name__ == "__main__":
    for name, body in pods():
        file_of(name).write_text(render(body), encoding="utf-8")
