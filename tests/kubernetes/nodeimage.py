"""Brings images where the nodes of a cluster find them: to a registry, or by a command that loads
them. Knows no cluster.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
REGISTRY, LOADER = "LEOFLOW_TEST_REGISTRY", "LEOFLOW_IMAGE_LOADER"
FOREIGN = "LEOFLOW_TEST_FOREIGN_IMAGE"
OURS = "LEOFLOW_TEST_"
NAME_BYTES = 3
NEITHER = (
    f"the nodes have to get images. Set {REGISTRY} to HOST/PATH of a registry that you may push to "
    f"and they may pull from, or {LOADER} to a command that is given the path of an archive and a "
    "reference, and loads the one into the nodes under the name of the other."
)


class Unready(Exception):
    """The cluster cannot be tested on; the text says what to set."""


class Image(NamedTuple):
    """An image that the nodes can have, and the dag.json that goes with it."""

    reference: str
    dag: Path


def require_way() -> None:
    """Raise Unready if there is no way for images to the nodes."""
    loader = shlex.split(os.environ.get(LOADER) or "")
    if not os.environ.get(REGISTRY) and not loader:
        raise Unready(NEITHER)
    if not os.environ.get(REGISTRY) and shutil.which(loader[0]) is None:
        raise Unready(f"{LOADER} begins with '{loader[0]}', and there is no such program")


def bring(project: Path, folder: Path) -> Image:
    """Build a project, and bring its image to the nodes. Raises Unready."""
    own = folder / project.name
    shutil.copytree(project, own)
    return Image(make("build", project.name, folder, str(own)), own / "dag.json")


def push(project: Path, registry: str, folder: Path) -> str:
    """Build a project and push it to a registry; give its reference. Raises Unready."""
    return make("build", project.name, folder, str(project), registry=registry)


def make(
    command: str, name: str, folder: Path, *arguments: str, registry: str | None = None
) -> str:
    """Have a command of leoflow make an image; give its reference. It goes to ``registry``, or the
    way that all images go. Raises Unready."""
    registry = registry or os.environ.get(REGISTRY)
    reference, archive = name_image(name, registry), folder / f"{name}.tar"
    where = ["--push"] if registry else ["--output", str(archive)]
    leoflow = str(Path(sys.executable).with_name("leoflow"))
    order = [leoflow, command, *arguments, "--tag", reference, *where, "--json"]
    environment = without_ours(os.environ)
    done = subprocess.run(order, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unready(f"'leoflow {command}' failed: see above")
    if registry:
        return f"{reference}@{json.loads(done.stdout)['digest']}"
    load(archive, reference)
    return reference


def bring_foreign(project: Image, folder: Path) -> Image:
    """Put the DAG of a project, without an agent, into an image that leoflow did not build, and
    bring that to the nodes: FOREIGN, or one that looks as others' do."""
    from foreignbase import make_foreign_base, with_layer
    from leoflow_builder.baseimage import ensure_base
    from leoflow_builder.inspection.choice import this_platform
    from leoflow_builder.oci.files import ArchiveFile
    from leoflow_builder.oci.layout import Bundle
    from leoflow_builder.ownimage.finding import Doors, ImageFinder, Wanted
    from leoflow_builder.registry.destination import RegistryDestination
    from leoflow_builder.registry.reference import parse_reference

    home, given = Path(os.environ["LEOFLOW_HOME"]), os.environ.get(FOREIGN)
    if given:
        wanted = Wanted(FOREIGN, given, ROOT, this_platform())
        base = ImageFinder(home, print, Doors()).find(wanted).kept.image
    else:
        base = make_foreign_base(ensure_base("3.11", home, print))
    files = {one.name: one.read_bytes() for one in project.dag.parent.glob("*.py")}
    image = with_layer(base, {f"opt/leoflow/dag/{name}": file for name, file in files.items()})
    reference, archive = name_image("foreign", os.environ.get(REGISTRY)), folder / "foreign.tar"
    bundle = Bundle(str(parse_reference(reference)), (image,))
    if os.environ.get(REGISTRY):
        RegistryDestination(parse_reference(reference)).receive(bundle, print)
        reference = f"{reference}@{image.manifest.digest}"
    else:
        ArchiveFile(archive).receive(bundle, print)
        load(archive, reference)
    document = json.loads(project.dag.read_bytes())
    document["image"] |= {"reference": reference, "digest": None}
    dag = folder / "foreign.json"
    dag.write_text(json.dumps(document))
    return Image(reference, dag)


def name_image(name: str, registry: str | None) -> str:
    """Give a reference that nobody else has. A node that an image was loaded into may not know it
    by its digest, so without a registry it is a tag's, and no registry's name."""
    return f"{registry or 'leoflow'}/{name}:{secrets.token_hex(NAME_BYTES)}"


def load(archive: Path, reference: str) -> None:
    """Load an archive into the nodes, and remove it. Raises Unready."""
    order = [*shlex.split(os.environ[LOADER]), str(archive), reference]
    if code := subprocess.run(order, check=False).returncode:
        raise Unready(f"{LOADER} failed with exit code {code}: {shlex.join(order)}")
    archive.unlink()


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the variables of these tests: leoflow refuses those that it does not know."""
    return {name: value for name, value in environment.items() if not name.startswith(OURS)}
