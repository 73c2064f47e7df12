"""From a project folder to an image and its dag.json: the whole way, one step after the other.

Each step is another module's; here is only their order and what is reported about them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from leoflow_agent.inline_cap import DEFAULT_CAP_SECONDS
from leoflow_agent.spec import BashAction, BuiltDag, DagSpec, ImageRef

from leoflow_builder.agentlayer import ensure_agent
from leoflow_builder.baseimage import ensure_base
from leoflow_builder.builder import BuiltImage, PlannedImage
from leoflow_builder.cache import make_key
from leoflow_builder.dagjson import dump_built, dump_dag
from leoflow_builder.daglayer import ensure_dag_layer
from leoflow_builder.failure import BuildError
from leoflow_builder.imagerecord import read_record, write_record
from leoflow_builder.layer import Layer
from leoflow_builder.layerreport import LayerReport, report_layers
from leoflow_builder.oci.image import NOTHING
from leoflow_builder.ownbase import OwnBase
from leoflow_builder.plan import ImagePlan, default_tag, plan_image
from leoflow_builder.prepare import Environment, Footing, prepare
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project, load_project
from leoflow_builder.projectfile import ProjectFiles, choose_files
from leoflow_builder.reading import DEFAULT_TIMEOUT_SECONDS, read_dag
from leoflow_builder.readyimage import (
    NO_BUILDER,
    deliver_ready,
    plan_ready,
    ready_dag,
    refuse_difference,
)
from leoflow_builder.registry.reference import parse_reference
from leoflow_builder.supply.annotation import created_time
from leoflow_builder.toolfile import BUILT_FILE
from leoflow_builder.tools import Tools, choose_tools
from leoflow_builder.unchanged import Outcome, Watch, remember
from leoflow_builder.wish import BuildWish

Say = Callable[[str], None]
NAMES_SHOWN = 8


@dataclass(frozen=True)
class BuildResult:
    """A built project. ``dag_json`` is the file beside it, ``built`` False if the image was there.

    ``compressed_bytes`` and ``digest`` are None where the engine keeps no manifests.
    """

    image: ImageRef
    image_id: str
    digest_reason: str | None
    dag_json: Path
    spec: DagSpec
    builder: str
    built: bool
    layers: tuple[LayerReport, ...]
    compressed_bytes: int | None
    unpacked_bytes: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the document of `leoflow build --json`."""
        return {
            "image": self.image.reference,
            "digest": self.image.digest,
            "digest_reason": self.digest_reason,
            "dag_json": str(self.dag_json),
            "builder": self.builder,
            "built": self.built,
            "layers": [asdict(layer) for layer in self.layers],
            "compressed_bytes": self.compressed_bytes,
            "unpacked_bytes": self.unpacked_bytes,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Options:
    """What was asked for, and the limits that hold when a DAG is read."""

    wish: BuildWish = field(default_factory=BuildWish)
    read_timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    inline_cap_seconds: float = DEFAULT_CAP_SECONDS


@dataclass(frozen=True)
class _Parts:
    """All that an image is made of: its layers, from the bottom up, and the plan of it."""

    folder: Path
    spec: DagSpec
    tag: str
    planned: PlannedImage
    ignored: tuple[str, ...]
    own: OwnBase | None

    @property
    def unpacked_bytes(self) -> int:
        below = self.own.unpacked.unpacked_bytes if self.own else 0
        return below + sum(layer.unpacked_bytes for layer in self.planned.layers)

    @property
    def is_ready(self) -> bool:
        """Whether nothing is added to an image of the user's own."""
        return self.own is not None and self.own.dag_json is not None


def build_project(
    folder: Path, home: Path, say: Say, options: Options | None = None, tools: Tools | None = None
) -> BuildResult:
    """Build a project's image and write dag.json beside it; ``home`` is LEOFLOW_HOME.

    ProjectError if the project is at fault, BuildError or BaseImageError if the machinery is.
    Whatever fails, an earlier dag.json stays as it was.
    """
    started = time.time()
    options = options or Options()
    tools = tools or choose_tools(options.wish, home)
    tools.destination.require()
    watch = Watch(folder)
    parts = _prepare_parts(folder, home, say, options)
    image, built = _ensure_image(parts, home, say, tools)
    reference = ImageRef(parts.tag, image.digest, parts.planned.plan.platform)
    written = write_built(parts.folder, BuiltDag(parts.spec, reference))
    own, layers = parts.own, _since(started, parts.planned.layers)
    result = BuildResult(
        image=reference,
        image_id=image.image_id,
        digest_reason=image.digest_reason,
        dag_json=written,
        spec=parts.spec,
        builder=NO_BUILDER if parts.is_ready else tools.builder.name,
        built=built,
        layers=report_layers(layers, image.blobs, own.digest if own else None),
        compressed_bytes=image.compressed_bytes,
        unpacked_bytes=parts.unpacked_bytes,
        seconds=time.time() - started,
    )
    if own is None and watch.is_undisturbed():
        name, told = str(parse_reference(parts.tag)), result.as_json()
        outcome = Outcome(parts.ignored, name, image.image_id, told)
        remember(parts.folder, home, options.wish, os.environ, outcome)
    return result


def plan_project(
    folder: Path, home: Path, say: Say, options: Options | None = None
) -> tuple[str, ImagePlan]:
    """Return the reference and the plan of a project's image, and build nothing.

    Raises as `build_project`; layers are made in the cache, since the plan names their digests.
    """
    parts = _prepare_parts(folder, home, say, options or Options())
    return parts.tag, parts.planned.plan


def _prepare_parts(folder: Path, home: Path, say: Say, options: Options) -> _Parts:
    project = load_project(folder)
    environment = prepare(project, home, say)
    spec = read_spec(project, environment, options)
    files = choose_files(project.folder, project.settings.allow_secret_files)
    if files.ignored:
        say(f"left out by ignore files: {_shortened(files.ignored)}")
    own, ground = environment.footing.own, environment.footing.ground
    if own is not None and own.dag_json is not None:
        planned, name = plan_ready(own), own.found.name
    else:
        layers = _make_layers(project, environment, spec, files, home, say)
        plan = plan_image(
            spec,
            dump_dag(spec),
            ground,
            layers,
            environment.has_pth,
            created_time(os.environ),
        )
        planned, name = PlannedImage(plan, layers, own.below if own else NOTHING), None
    tag = options.wish.tag or name or default_tag(spec.dag_id, planned.plan)
    return _Parts(project.folder, spec, tag, planned, files.ignored, own)


def read_spec(
    project: Project, environment: Environment, options: Options | None = None
) -> DagSpec:
    """Read a project's DAG with the interpreter and the packages that its image will have.

    That of a ready image is in it; a DAG in the folder has to be the same.
    """
    options = options or Options()
    own = environment.footing.own
    ready = ready_dag(own, project) if own is not None else None
    if ready is not None and not project.entry:
        return ready
    spec = read_dag(
        project,
        environment.interpreter,
        environment.site_path,
        options.read_timeout_seconds,
        options.inline_cap_seconds,
    )
    if own is not None and ready is not None:
        refuse_difference(own, project, ready, spec)
    return spec


def _make_layers(
    project: Project,
    environment: Environment,
    spec: DagSpec,
    files: ProjectFiles,
    home: Path,
    say: Say,
) -> tuple[Layer, ...]:
    footing = environment.footing
    python = footing.target.python_version
    base = _base_layers(project, footing, spec, home, say)
    agent = ensure_agent(python, footing.ground.place, footing.interpreter, home)
    dag = ensure_dag_layer(files.chosen, dump_dag(spec), python, footing.interpreter, home)
    for source, reason in sorted(dag.facts["not_compiled"].items()):
        say(f"{source} is no valid Python for {python}, and cannot be imported: {reason}")
    deps = [environment.deps.layer] if environment.deps else []
    return (*base, agent.layer, *deps, dag.layer)


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _base_layers(
    project: Project, footing: Footing, spec: DagSpec, home: Path, say: Say
) -> list[Layer]:
    """Return leoflow's base, with a shell if a task needs one; nothing for a base of one's own."""
    bash_task = next((one for one in spec.tasks if isinstance(one.action, BashAction)), None)
    if footing.own is None:
        base = ensure_base(project.python_version, "bash" if bash_task else "plain", home, say)
        return [base.layer]
    if bash_task and not footing.own.has_bash:
        message = (
            f"{footing.own.key} '{footing.own.reference}' has no bash, which task "
            f"'{bash_task.task_id}' needs. Install it there, or choose another image"
        )
        raise ProjectError([project.problem(message, footing.own.key)])
    return []


def _since(started: float, layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers with what was made since then as not reused; a base does not tell it."""
    made = [layer.blob.stat().st_mtime >= started for layer in layers]
    return [
        replace(one, reused=one.reused and not new) for one, new in zip(layers, made, strict=True)
    ]


def _ensure_image(parts: _Parts, home: Path, say: Say, tools: Tools) -> tuple[BuiltImage, bool]:
    """Return the image and whether it had to be built."""
    plan, destination = parts.planned.plan, tools.destination
    name = str(parse_reference(parts.tag))
    if parts.own is not None and parts.is_ready:
        return deliver_ready(parts.own, name, destination, say)
    key = make_key([plan.content_key, tools.builder.name, destination.place])
    record = home.absolute() / "cache" / "images" / f"{key}.json"
    known = read_record(record)
    if known is not None and destination.has(name, known.image_id):
        say(f"nothing to build, the image is there: '{parts.tag}'")
        return known, False
    say(f"building '{parts.tag}'")
    image = tools.builder.build([parts.planned], name, destination, say)
    write_record(record, image)
    return image, True


def write_built(folder: Path, built: BuiltDag) -> Path:
    """Write dag.json beside a project, whole or not at all; return its path."""
    target = folder / BUILT_FILE
    unfinished = folder / f".{BUILT_FILE}.{os.getpid()}"
    try:
        unfinished.write_bytes(dump_built(built))
        unfinished.replace(target)
    except OSError as error:
        # On a read-only disk even the removal of what is not there fails.
        with suppress(OSError):
            unfinished.unlink()
        raise BuildError(
            f"'{target}' cannot be written: {error.strerror}. Make the project folder writable"
        ) from None
    return target
