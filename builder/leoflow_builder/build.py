"""From a project folder to an image and its dag.json: the whole way, one step after the other.

Each step is another module's; here is only their order and what is reported about them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leoflow_builder.assemble import Assembly, Options, assemble
from leoflow_builder.failure import BuildError
from leoflow_builder.toolfile import BUILT_FILE
from leoflow_builder.tools import Tools, choose_tools
from leoflow_builder.unchanged import Outcome, Watch, remember
from leoflow_builder.wholefile import write_whole
from leoflow_builder.wishcheck import check_wish

if TYPE_CHECKING:
    from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef

    from leoflow_builder.builder import BuiltImage
    from leoflow_builder.layer import Layer
    from leoflow_builder.layerreport import LayerReport
    from leoflow_builder.plan import ImagePlan

Say = Callable[[str], None]
# What makes a ready image, which is used as it is.
NO_BUILDER = "none"


@dataclass(frozen=True)
class BuildResult:
    """A built project. ``dag_json`` is the file beside it, ``built`` False if the image was there.

    ``compressed_bytes`` and ``digest`` are None where the engine keeps no manifests. Of several
    platforms ``digest`` is the index's, and sizes and layers are those of the first.
    """

    image: ImageRef
    image_id: str
    digest_reason: str | None
    dag_json: Path
    assembly: Assembly
    builder: str
    built: bool
    layers: tuple[LayerReport, ...]
    compressed_bytes: int | None
    unpacked_bytes: int
    seconds: float

    @property
    def spec(self) -> DagSpec:
        """The DAG that is in the image."""
        return self.assembly.spec

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


def build_project(
    folder: Path, home: Path, say: Say, options: Options | None = None, tools: Tools | None = None
) -> BuildResult:
    """Build a project's image and write dag.json beside it; ``home`` is LEOFLOW_HOME.

    ProjectError if the project is at fault, BuildError or BaseImageError if the machinery is.
    Whatever fails, an earlier dag.json stays as it was.
    """
    started = time.time()
    options = options or Options()
    check_wish(options.wish, folder)
    tools = tools or choose_tools(options.wish, home)
    tools.destination.require()
    watch = Watch(folder)
    assembly = assemble(folder, home, say, options)
    from leoflow_agent.spec import BuiltDag, ImageRef

    from leoflow_builder.delivery import ensure_image, image_name

    image, built = ensure_image(assembly, home, say, tools)
    reference = ImageRef(assembly.tag, image.digest, assembly.platform)
    written = write_built(assembly.project.folder, BuiltDag(assembly.spec, reference))
    result = _result(assembly, image, built, written, tools.builder.name, started)
    if assembly.native.footing.own is None and watch.is_undisturbed():
        outcome = Outcome(assembly.ignored, image_name(assembly), image.image_id, result.as_json())
        remember(assembly.project.folder, home, options.wish, os.environ, outcome)
    return result


def plan_project(
    folder: Path, home: Path, say: Say, options: Options | None = None
) -> tuple[str, ImagePlan]:
    """Return the reference and the plan of a project's image, and build nothing.

    Raises as `build_project`; layers are made in the cache, since the plan names their digests.
    """
    assembly = assemble(folder, home, say, options or Options())
    return assembly.tag, assembly.first.plan


def _result(
    assembly: Assembly,
    image: BuiltImage,
    built: bool,
    dag_json: Path,
    builder: str,
    started: float,
) -> BuildResult:
    from leoflow_agent.spec import ImageRef

    from leoflow_builder.layerreport import report_layers

    own = assembly.native.footing.own
    layers = _since(started, assembly.first.layers)
    return BuildResult(
        image=ImageRef(assembly.tag, image.digest, assembly.platform),
        image_id=image.image_id,
        digest_reason=image.digest_reason,
        dag_json=dag_json,
        assembly=assembly,
        builder=NO_BUILDER if own is not None and own.dag_json is not None else builder,
        built=built,
        layers=report_layers(layers, image.blobs, own.digest if own else None),
        compressed_bytes=image.compressed_bytes,
        unpacked_bytes=sum(layer.unpacked_bytes for layer in layers)
        + (own.unpacked.unpacked_bytes if own else 0),
        seconds=time.time() - started,
    )


def _since(started: float, layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers with what was made since then as not reused; a base does not tell it."""
    made = [layer.blob.stat().st_mtime >= started for layer in layers]
    return [
        replace(one, reused=one.reused and not new) for one, new in zip(layers, made, strict=True)
    ]


def write_built(folder: Path, built: BuiltDag) -> Path:
    """Write dag.json beside a project, whole or not at all; return its path."""
    from leoflow_builder.dagjson import dump_built

    target = folder / BUILT_FILE
    try:
        write_whole(target, dump_built(built))
    except OSError as error:
        raise BuildError(
            f"'{target}' cannot be written: {error.strerror}. Make the project folder writable"
        ) from None
    return target
