"""From a wish to an image of leoflow itself: the whole way, one step after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leoflow_builder.agentlayer import ensure_agent
from leoflow_builder.builder import BuiltImage, PlannedImage
from leoflow_builder.failure import BuildError
from leoflow_builder.interpreter import RootfsInterpreter
from leoflow_builder.layer import Layer
from leoflow_builder.layerreport import LayerReport
from leoflow_builder.prepare import Environment, native_platform, prepare, prepare_foreign
from leoflow_builder.recipe import known_versions
from leoflow_builder.registry.reference import parse_reference
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.supply.annotation import created_time
from leoflow_builder.systemimage.owndescribing import (
    OwnPart,
    agent_contents,
    own_describer,
    server_contents,
)
from leoflow_builder.systemimage.ownlayer import ensure_agents, ensure_own
from leoflow_builder.systemimage.ownplan import plan_agents, plan_server
from leoflow_builder.systemimage.ownproject import PYTHON_VERSION, server_project
from leoflow_builder.tools import Tools, choose_tools
from leoflow_builder.wish import BuildWish
from leoflow_builder.wishcheck import check_wish

if TYPE_CHECKING:
    from leoflow_builder.baseimage import BaseImage

Say = Callable[[str], None]


@dataclass(frozen=True)
class SystemImage:
    """An image of leoflow's own, where it was wanted. Of several platforms ``digest`` is the
    index's, and sizes and layers are those of the first."""

    reference: str
    digest: str | None
    layers: tuple[LayerReport, ...]
    compressed_bytes: int | None
    unpacked_bytes: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the document that the commands print with --json."""
        return {
            "image": self.reference,
            "digest": self.digest,
            "layers": [asdict(layer) for layer in self.layers],
            "compressed_bytes": self.compressed_bytes,
            "unpacked_bytes": self.unpacked_bytes,
            "seconds": round(self.seconds, 3),
        }


def build_server(wish: BuildWish, home: Path, say: Say, tools: Tools | None = None) -> SystemImage:
    """Make the image of the control plane and bring it where ``wish`` says.

    ``home`` is LEOFLOW_HOME. BuildError or BaseImageError if the machinery fails, ProjectError if
    the shipped lock cannot be kept to.
    """
    started = time.time()
    with scratch_folder("leoflow-server-image-") as folder:
        check_wish(wish, folder)
        project = server_project(folder)
        native = prepare(project, home, say, locked=wish.locked)
        environments = [native]
        for platform in _others(wish):
            environments.append(
                prepare_foreign(project, platform, native, home, say, locked=wish.locked)
            )
        wanted = wish.platforms or (native_platform(),)
        parts = [_server_part(one, native, home) for one in environments]
    parts = [one for one in parts if one.planned.plan.platform in wanted]
    return _deliver(parts, wish, f"leoflow/server:{own_version()}", home, say, tools, started)


def build_agents(
    wish: BuildWish, home: Path, say: Say, tools: Tools | None = None, *, bare: bool = False
) -> SystemImage:
    """Make the image of the agents; it can copy them unless it is ``bare``. Raises as above."""
    started = time.time()
    check_wish(wish, home / "cache")
    agents = {python: _agent_tree(python, home, say) for python in known_versions()}
    layer = ensure_agents(agents, home).layer
    parts = []
    for platform in wish.platforms or (native_platform(),):
        base = None if bare else _base(PYTHON_VERSION, platform.rpartition("/")[2], home, say)
        layers = (layer,) if base is None else (base.layer, layer)
        python = base.python if base else None
        plan = plan_agents(platform, python, layers, own_version(), created_time(os.environ))
        contents = agent_contents(base, PYTHON_VERSION, platform, own_version())
        parts.append(OwnPart(PlannedImage(plan, layers), contents))
    return _deliver(parts, wish, f"leoflow/agent:{own_version()}", home, say, tools, started)


def own_version() -> str:
    """Return the version of this leoflow; BuildError if it was never installed."""
    try:
        return version("leoflow")
    except PackageNotFoundError:
        raise BuildError(
            "leoflow does not know its own version, since it is not installed. Install it: "
            "`pip install -e .` in its checkout"
        ) from None


def _others(wish: BuildWish) -> list[str]:
    return [one for one in wish.platforms if one != native_platform()]


def _server_part(environment: Environment, native: Environment, home: Path) -> OwnPart:
    footing = environment.footing
    target, place = footing.target, footing.ground.place
    # Bytecode is the same for every machine, and what is foreign does not run here.
    own = ensure_own(own_version(), target.python_version, place, native.interpreter, home)
    base = [] if footing.made is None else [footing.made.layer]
    deps = [] if environment.deps is None else [environment.deps.layer]
    layers = (*base, *deps, own.layer)
    created = created_time(os.environ)
    plan = plan_server(target.platform, place, layers, own_version(), created)
    digest = None if footing.base is None else footing.base.digest
    contents = server_contents(environment, own_version())
    return OwnPart(PlannedImage(plan, layers), contents, digest)


def _agent_tree(python: str, home: Path, say: Say) -> Path:
    from leoflow_builder.installation import Installation

    base = _base(python, None, home, say)
    place = Installation(base.python, base.site_packages)
    interpreter = RootfsInterpreter(base.rootfs)
    return ensure_agent(base.python_version, place, interpreter, home).tree


def _base(python: str, architecture: str | None, home: Path, say: Say) -> BaseImage:
    from leoflow_builder.baseimage import ensure_base

    return ensure_base(python, home, say, architecture=architecture)


def _deliver(
    parts: list[OwnPart],
    wish: BuildWish,
    own_name: str,
    home: Path,
    say: Say,
    tools: Tools | None,
    started: float,
) -> SystemImage:
    tools = tools or choose_tools(wish, home)
    tools.destination.require()
    name = str(parse_reference(wish.tag or own_name))
    options = {"tag": wish.tag, "platform": ",".join(wish.platforms) or None}
    describe = own_describer(parts, tools.builder.name, options)
    images = [one.planned for one in parts]
    built = tools.builder.build(images, name, tools.destination, say, describe)
    layers = images[0].layers
    return SystemImage(
        reference=wish.tag or own_name,
        digest=built.digest,
        layers=tuple(_report(layers, built)),
        compressed_bytes=built.compressed_bytes,
        unpacked_bytes=sum(one.unpacked_bytes for one in layers),
        seconds=time.time() - started,
    )


def _report(layers: tuple[Layer, ...], built: BuiltImage) -> list[LayerReport]:
    blobs = built.blobs or ()
    sizes = [one.size_bytes for one in blobs] or [one.size_bytes for one in layers]
    digests = [one.digest for one in blobs] or [one.digest for one in layers]
    return [
        LayerReport(layer.name, digest, size, layer.reused)
        for layer, digest, size in zip(layers, digests, sizes, strict=True)
    ]
