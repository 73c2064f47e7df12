"""What an image consists of, decided purely: every builder makes the same image of one plan.

It touches no file and knows no builder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from leoflow_agent.spec import DagSpec

from leoflow_builder.agentlayer import AGENT_ENTRY
from leoflow_builder.dagsource import DAG_FOLDER
from leoflow_builder.ground import Ground
from leoflow_builder.layer import Layer
from leoflow_builder.layertar import LAYER_TIME
from leoflow_builder.supply.annotation import manifest_annotations

# Raise it when the same plan is to give another image.
PLAN_VERSION = "2"
USER = "65532:65532"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}


@dataclass(frozen=True)
class ImagePlan:
    """An image. ``layers`` are (name, diff_id), from the bottom up; ``base_reference``
    is an image to start from, or None if the base is a layer itself. ``annotations`` are those of
    the manifest; ``created`` is in seconds since the epoch."""

    platform: str
    base_reference: str | None
    layers: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    user: str
    entrypoint: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...] = ()
    created: int = LAYER_TIME

    @property
    def content_key(self) -> str:
        """Twelve hexadecimal digits that differ if anything in the image does."""
        text = json.dumps([PLAN_VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def plan_image(
    spec: DagSpec,
    spec_json: bytes,
    ground: Ground,
    layers: Sequence[Layer],
    has_pth: bool,
    created: int = LAYER_TIME,
) -> ImagePlan:
    """Return the plan of a DAG's image; ``layers`` are from the bottom up.

    ``created`` is what the image says of its age, in seconds since the epoch.
    """
    annotations = manifest_annotations(spec.dag_id, spec_digest(spec_json), created)
    environment = image_environment(ground, spec.environment, has_pth)
    return ImagePlan(
        platform=ground.platform,
        base_reference=ground.base_reference,
        layers=tuple((layer.name, layer.diff_id) for layer in layers),
        environment=_sorted(environment),
        user=USER,
        entrypoint=(ground.place.python, *interpreter_options(environment), AGENT_ENTRY),
        labels=_sorted(_labels(spec, spec_json)),
        annotations=_sorted(annotations),
        created=created,
    )


def image_environment(ground: Ground, declared: Mapping[str, str], has_pth: bool) -> dict[str, str]:
    """Return the variables of every container: what was declared wins over the image below, and
    that over the defaults."""
    below = {name: value for name, value in ground.environment if name in ENVIRONMENT}
    sites = (ground.place.site_packages, *ground.further_sites)
    own = {"LEOFLOW_DAG_FOLDER": DAG_FOLDER, "LEOFLOW_SITE_FOLDER": ":".join(sites)}
    if has_pth or ground.has_pth:
        own["LEOFLOW_SITE_HAS_PTH"] = "1"
    return {**ENVIRONMENT, **below, **declared, **own}


def interpreter_options(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the options of the Python that the agent starts on.

    UTF-8 mode saves a tenth of the interpreter's start, and is what Python would do anyway where
    the locale is UTF-8, C or POSIX. With another one it would be another encoding: docs/adr/0013.
    """
    values = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next(filter(None, values), "C").partition("@")[0].lower().replace("-", "")
    is_utf8 = locale in ("c", "posix") or locale.endswith(".utf8")
    return ("-I", "-S", "-X", "utf8") if is_utf8 else ("-I", "-S")


def spec_digest(spec_json: bytes) -> str:
    """Return the digest by which images name their DagSpec."""
    return f"sha256:{hashlib.sha256(spec_json).hexdigest()}"


def _labels(spec: DagSpec, spec_json: bytes) -> dict[str, str]:
    return {
        "io.leoflow.dag_id": spec.dag_id,
        "io.leoflow.python_version": spec.python_version,
        "io.leoflow.spec": spec_digest(spec_json),
        "org.opencontainers.image.title": spec.dag_id,
    }


def _sorted(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def default_tag(dag_id: str, plan: ImagePlan) -> str:
    """Return the reference of an image that was given none: `leoflow/DAG_ID:CONTENT_KEY`."""
    return f"leoflow/{_repository(dag_id)}:{plan.content_key}"


def _repository(dag_id: str) -> str:
    """Return a dag_id as the registries' rules allow it; a hash tells the changed ones apart."""
    lowered = "".join(_allowed(dag_id.lower())).strip("-")[:100].strip("-")
    if lowered == dag_id:
        return lowered
    digest = hashlib.sha256(dag_id.encode()).hexdigest()[:8]
    return f"{lowered}-{digest}" if lowered else digest


def _allowed(text: str) -> Iterable[str]:
    """Replace what is no letter or digit by '-', and keep single separators between two of them."""
    for index, character in enumerate(text):
        between = 0 < index < len(text) - 1 and text[index - 1].isalnum()
        separator = character in "._-" and between and text[index + 1].isalnum()
        if character.isalnum() or separator:
            yield character
        elif index and text[index - 1].isalnum():
            yield "-"
