"""``python -m deploy.render CHART FOLDER``: plain manifests out of the chart, for `make manifests`.

The chart is the one source; what is written here is never edited. Templates are Helm's own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

RELEASE = "leoflow"
NAMESPACE = "leoflow"
VALUES = Path(__file__).with_name("values")
# Whatever others need comes first, as with `helm install`.
_ORDER = (
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "Role",
    "RoleBinding",
    "Service",
    "Deployment",
    "Ingress",
    "ServiceMonitor",
)
_HEAD = """\
# Rendered from deploy/helm by `make manifests`, with deploy/values/{name}. Do not edit.
# docs/kubernetes-install.md says what has to be there first, and what to change.
"""


def render(chart: Path, values: Mapping[str, Any], namespace: str = NAMESPACE) -> str:
    """Return the chart's objects as YAML, as `helm template` would.

    Raises helm_python.HelmError, with Helm's words, for values that the chart refuses.
    """
    with helm_python.Chart.load(chart) as loaded:
        loaded.validate_schema(dict(values))
        made = loaded.render(dict(values), name=RELEASE, namespace=namespace)
    documents = [
        document.strip()
        for name, text in sorted(made.items())
        if not name.endswith("NOTES.txt")
        for document in f"\n{text}".split("\n---")
    ]
    wanted = sorted(filter(None, documents), key=lambda one: _ORDER.index(_kind(one)))
    return "".join(f"---\n{one}\n" for one in wanted)


def _kind(document: str) -> str:
    kind: str = yaml.safe_load(document)["kind"]
    return kind


def manifests(chart: Path) -> dict[str, str]:
    """Return the text of each plain manifest by its name: one for each file of values."""
    return {
        file.name: _HEAD.format(name=file.name)
        + render(chart, yaml.safe_load(file.read_text(encoding="utf-8")))
        for file in sorted(VALUES.glob("*.yaml"))
    }


def main(chart: Path, folder: Path) -> None:
    """Write the manifests into ``folder``."""
    for name, text in manifests(chart).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
