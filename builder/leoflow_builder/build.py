"""From a project folder to an image and its dag.json: the whole way, one step after the other.

Each step is another module's; here is only their order and what is reported about them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from leoflow_agent.inline_cap import DEFAULT_CAP_SECONDS
from leoflow_agent.spec import BashAction, BuiltDag, DagSpec, ImageRef

from leoflow_builder.agentlayer import ensure_agent
from leoflow_builder.baseimage import ensure_base
from leoflow_builder.builder import Builder, BuiltImage
from leoflow_builder.buildkit import BuildkitBuilder
from leoflow_builder.dagjson import dump_built, dump_dag
from leoflow_builder.daglayer import ensure_dag_layer
from leoflow_builder.engine import WhalesEngine
from leoflow_builder.failure import BuildError
from leoflow_builder.imagerecord import read_record, write_record
from leoflow_builder.layer import Layer
from leoflow_builder.layerreport import LayerReport, report_layers
from leoflow_builder.ownbase import OwnBase
from leoflow_builder.plan import ImagePlan, default_tag, plan_image
from leoflow_builder.prepare import Environment, Footing, prepare
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project, load_project
from leoflow_builder.projectfile import BUILT_FILE, choose_files
from leoflow_builder.reading import DEFAULT_TIMEOUT_SECONDS, read_dag
from leoflow_builder.systemlayer import ensure_system

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
    """What a caller may choose. ``tag`` None: made of the dag_id and the content."""

    tag: str | None = None
    read_timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    inline_cap_seconds: float = DEFAULT_CAP_SECONDS


@dataclass(frozen=True)
class _Parts:
    """All that an image is made of: its layers, from the bottom up, and the plan of it."""

    folder: Path
    spec: DagSpec
    tag: str
    plan: ImagePlan
    layers: tuple[Layer, ...]
    own: OwnBase | None

    @property
    def unpacked_bytes(self) -> int:
        return sum(layer.unpacked_bytes for layer in self.layers)


def build_project(
    folder: Path,
    home: Path,
    say: Say,
    options: Options | None = None,
    builder: Builder | None = None,
) -> BuildResult:
    """Build a project's image and write dag.json beside it; ``home`` is LEOFLOW_HOME.

    ProjectError if the project is at fault, BuildError or BaseImageError if the machinery is.
    Whatever fails, an earlier dag.json stays as it was.
    """
    started = time.time()
    parts = _prepare_parts(folder, home, say, options or Options())
    builder = builder or BuildkitBuilder(WhalesEngine(), home.absolute() / "cache" / "builds")
    image, built = _ensure_image(parts, parts.tag, home, say, builder)
    own = parts.own
    reference = ImageRef(parts.tag, image.digest, parts.plan.platform)
    written = write_built(parts.folder, BuiltDag(parts.spec, reference))
    return BuildResult(
        image=reference,
        image_id=image.image_id,
        digest_reason=image.digest_reason,
        dag_json=written,
        spec=parts.spec,
        builder=builder.name,
        built=built,
        layers=report_layers(
            _since(started, parts.layers), image.blobs, own.image_id if own else None
        ),
        compressed_bytes=image.compressed_bytes,
        unpacked_bytes=parts.unpacked_bytes,
        seconds=time.time() - started,
    )


def plan_project(
    folder: Path, home: Path, say: Say, options: Options | None = None
) -> tuple[str, ImagePlan]:
    """Return the reference and the plan of a project's image, and build nothing.

    Raises as `build_project`; layers are made in the cache, since the plan names their digests.
    """
    parts = _prepare_parts(folder, home, say, options or Options())
    return parts.tag, parts.plan


def _prepare_parts(folder: Path, home: Path, say: Say, options: Options) -> _Parts:
    project = load_project(folder)
    environment = prepare(project, home, say)
    spec = read_spec(project, environment, options)
    layers = _make_layers(project, environment, spec, home, say)
    ground = environment.footing.ground
    plan = plan_image(spec, dump_dag(spec), ground, layers, environment.has_pth)
    tag = options.tag or default_tag(spec.dag_id, plan)
    return _Parts(project.folder, spec, tag, plan, layers, environment.footing.own)


def read_spec(
    project: Project, environment: Environment, options: Options | None = None
) -> DagSpec:
    """Read a project's DAG with the interpreter and the packages that its image will have."""
    options = options or Options()
    return read_dag(
        project,
        environment.interpreter,
        environment.site_path,
        options.read_timeout_seconds,
        options.inline_cap_seconds,
    )


def _make_layers(
    project: Project, environment: Environment, spec: DagSpec, home: Path, say: Say
) -> tuple[Layer, ...]:
    footing = environment.footing
    python = footing.target.python_version
    base = _base_layers(project, footing, spec, home, say)
    agent = ensure_agent(python, footing.ground.place, footing.interpreter, home)
    files = choose_files(project.folder, project.settings.allow_secret_files)
    if files.ignored:
        say(f"left out by ignore files: {_shortened(files.ignored)}")
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
        base = ensure_base(project.python_version, home, say)
        if bash_task is None:
            return [base.layer]
        return [base.layer, ensure_system((), base, home, say, shell=True).folder.layer]
    if bash_task and not footing.own.has_bash:
        message = f"base_image has no bash, which task '{bash_task.task_id}' needs. Choose another"
        raise ProjectError([project.problem(message, "base_image")])
    return []


def _since(started: float, layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers with what was made since then as not reused; a base does not tell it."""
    made = [layer.blob.stat().st_mtime >= started for layer in layers]
    return [
        replace(one, reused=one.reused and not new) for one, new in zip(layers, made, strict=True)
    ]


def _ensure_image(
    parts: _Parts, tag: str, home: Path, say: Say, builder: Builder
) -> tuple[BuiltImage, bool]:
    """Return the image and whether it had to be built."""
    record = home.absolute() / "cache" / "images" / f"{parts.plan.content_key}.json"
    known = read_record(record)
    if known is not None and builder.find(known, tag):
        say(f"nothing to build, the image is there: '{tag}'")
        return known, False
    say(f"building '{tag}'")
    image = builder.build(parts.plan, parts.layers, tag, say)
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
