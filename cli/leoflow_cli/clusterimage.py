"""Builds the image of a run on Kubernetes, and brings it where the cluster's nodes find it."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from leoflow_agent.spec import DagSpec
from leoflow_builder.wish import BuildWish
from leoflow_controlplane.pod.image import pinned

from leoflow_cli import build_command
from leoflow_cli.outcome import InvalidInput, Unusable
from leoflow_cli.screen import Screen

LOADER = "LEOFLOW_IMAGE_LOADER"
NO_WAY = (
    "the nodes of a cluster do not have the images of this machine. Push this one to a registry "
    "that they pull from: --push --tag HOST/REPOSITORY:TAG. Or set LEOFLOW_IMAGE_LOADER to a "
    "command that loads an archive into the nodes: it is run with the archive's path and the "
    "image's reference as its last two arguments."
)


def build_for_cluster(folder: Path, wish: BuildWish, screen: Screen) -> tuple[DagSpec, str]:
    """Build a project; return the DAG, and the reference by which a node finds its image."""
    loader = os.environ.get(LOADER, "").strip()
    if not wish.push and not loader:
        raise InvalidInput(NO_WAY)
    if wish.push:
        built = build_command.build(folder, wish, screen)
        return built.spec, pinned(built.image.reference, built.image.digest)
    with tempfile.TemporaryDirectory(prefix="leoflow-") as place:
        archive = Path(place) / "image.tar"
        built = build_command.build(folder, BuildWish(tag=wish.tag, output=archive), screen)
        _load(loader, archive, built.image.reference, screen)
    return built.spec, built.image.reference


def _load(loader: str, archive: Path, reference: str, screen: Screen) -> None:
    with screen.working(f"loading '{reference}' into the nodes"):
        try:
            command = [*shlex.split(loader), str(archive), reference]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        except (OSError, ValueError) as error:
            raise Unusable(f"{LOADER} is '{loader}', which cannot be run: {error}.") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise Unusable(
            f"{LOADER} '{loader}' could not load '{reference}': exit code {done.returncode}. {said}"
        )
