"""A ready image that leoflow built before: its DAG is read out of it, and nothing is added."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from leoflow_agent.spec import DagSpec
from pydantic import ValidationError

from leoflow_builder.builder import Blob, BuiltImage, PlannedImage
from leoflow_builder.dagjson import dump_dag, parse_dag
from leoflow_builder.dagsource import DAG_FOLDER
from leoflow_builder.destination import Destination
from leoflow_builder.oci.layout import Bundle
from leoflow_builder.ocibuilder import deliver
from leoflow_builder.ownbase import OwnBase
from leoflow_builder.plan import ImagePlan
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project
from leoflow_builder.projectfile import choose_files

Say = Callable[[str], None]
_SPEC_LABEL = "io.leoflow.spec"
_HOW = "Build the image anew from the folder, or take dag.py out of it"


def ready_dag(own: OwnBase, project: Project) -> DagSpec:
    """Return the DAG of an image that is used as it is; ProjectError if it cannot be run."""
    assert own.dag_json is not None, "it is ready"
    said = own.found.kept.config.labels.get(_SPEC_LABEL)
    found = f"sha256:{hashlib.sha256(own.dag_json).hexdigest()}"
    if said not in (None, found):
        message = f"has another DAG in it than its label '{_SPEC_LABEL}' says. Build it anew"
        raise _refused(own, project, message)
    try:
        return parse_dag(own.dag_json)
    except ValidationError as error:
        message = (
            f"has a DAG that this leoflow does not know: {error.errors()[0]['msg']}. Build it anew"
        )
        raise _refused(own, project, message) from None


def refuse_difference(own: OwnBase, project: Project, ready: DagSpec, spec: DagSpec) -> None:
    """Raise ProjectError if the DAG or the files of a folder are others than the ready image's."""
    if dump_dag(spec) != dump_dag(ready):
        there, here = (f"'{one.dag_id}' with {len(one.tasks)} tasks" for one in (ready, spec))
        detail = f": {there} there, {here} here" if there != here else ""
        raise _refused(own, project, f"has another DAG than '{project.entry}'{detail}. {_HOW}")
    files = choose_files(project.folder, project.settings.allow_secret_files).chosen
    for name, path in files.items():
        # The settings name the image, so they cannot be the same as when it was built.
        if name.startswith("leoflow.") or path.is_symlink():
            continue
        if own.unpacked.read(f"{DAG_FOLDER}/{name}") != path.read_bytes():
            raise _refused(own, project, f"has another '{name}' than the folder. {_HOW}")


def _refused(own: OwnBase, project: Project, message: str) -> ProjectError:
    return ProjectError([project.problem(f"{own.spoken} {message}", own.key)])


def plan_ready(own: OwnBase) -> PlannedImage:
    """Return an image that is used as it is in the form of a plan, to which nothing is added."""
    config = own.found.kept.config
    plan = ImagePlan(
        platform=own.ground.platform,
        base_reference=f"{own.reference.partition('@')[0]}@{own.digest}",
        layers=(),
        environment=tuple(sorted(config.environment.items())),
        user=config.user,
        entrypoint=config.entrypoint,
        labels=tuple(sorted(config.labels.items())),
    )
    return PlannedImage(plan, (), own.found.kept.below(has_leoflow=False))


def deliver_ready(
    own: OwnBase, name: str, destination: Destination, say: Say
) -> tuple[BuiltImage, bool]:
    """Bring an image to where it is wanted, as it is; tell whether it had to be brought."""
    image = own.found.kept.image
    known_as = [own.found.engine_id] if own.found.engine_id and destination.is_engine else []
    for image_id in (*known_as, own.digest, image.config.digest):
        if destination.has(name, image_id):
            say(f"nothing to build, the image is there: '{name}'")
            blobs = tuple(Blob(one.digest, one.size_bytes) for one in image.layers)
            return BuiltImage(image_id, own.digest, None, blobs), False
    say(f"bringing '{own.reference}' as it is: '{name}'")
    return deliver(Bundle(name, (image,)), destination, say), True
