"""What the images of leoflow itself consist of and how they start. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leoflow_builder.installation import Installation
from leoflow_builder.layer import Layer
from leoflow_builder.plan import ENVIRONMENT, USER, ImagePlan
from leoflow_builder.supply.canonical import rfc3339
from leoflow_builder.systemimage.ownlayer import COPIER, program_path

# The home of user 65532 in the bases, which is theirs: a volume that is made for it is too.
HOME = "/home/leoflow"
SERVER_TITLE, AGENT_TITLE = "leoflow-server", "leoflow-agent"
_OCI = "org.opencontainers.image"


def plan_server(
    platform: str, place: Installation, layers: Sequence[Layer], version: str, created: int
) -> ImagePlan:
    """Return the plan of the control plane's image, which runs `leoflow server`.

    ``created`` is in seconds since the epoch.
    """
    return ImagePlan(
        platform=platform,
        base_reference=None,
        layers=_names(layers),
        environment=_sorted({**ENVIRONMENT, "HOME": HOME, "LEOFLOW_HOME": HOME}),
        user=USER,
        entrypoint=(place.python, "-I", "-X", "utf8", program_path(place), "server"),
        labels=_sorted(_labels(SERVER_TITLE, version)),
        annotations=_sorted(_annotations(SERVER_TITLE, version, created)),
        created=created,
    )


def plan_agents(
    platform: str, python: str | None, layers: Sequence[Layer], version: str, created: int
) -> ImagePlan:
    """Return the plan of the image that holds agents; ``created`` is in seconds since the epoch.

    With ``python``, the interpreter of its base, it copies one: `PYTHON FOLDER` are its arguments.
    Without, nothing in it can be started, and it is good for mounting alone.
    """
    return ImagePlan(
        platform=platform,
        base_reference=None,
        layers=_names(layers),
        environment=_sorted(ENVIRONMENT if python else {}),
        user=USER,
        entrypoint=(python, "-I", "-S", COPIER) if python else (),
        labels=_sorted(_labels(AGENT_TITLE, version)),
        annotations=_sorted(_annotations(AGENT_TITLE, version, created)),
        created=created,
    )


def _labels(title: str, version: str) -> dict[str, str]:
    return {
        f"{_OCI}.licenses": "Apache-2.0",
        f"{_OCI}.title": title,
        f"{_OCI}.version": version,
    }


def _annotations(title: str, version: str, created: int) -> dict[str, str]:
    return {f"{_OCI}.created": rfc3339(created), **_labels(title, version)}


def _names(layers: Sequence[Layer]) -> tuple[tuple[str, str], ...]:
    return tuple((layer.name, layer.diff_id) for layer in layers)


def _sorted(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))
