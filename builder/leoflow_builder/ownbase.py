"""An image of the user's own as the base of a project: found, looked into, and what it means for
the image that is built on it. Nothing is built here but the user's own Dockerfile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from leoflow_builder.agentlayer import AGENT_ENTRY
from leoflow_builder.daglayer import SPEC_FILE
from leoflow_builder.engine import Engine, WhalesEngine
from leoflow_builder.ground import Ground
from leoflow_builder.inspection.choice import this_platform
from leoflow_builder.installation import Installation
from leoflow_builder.interpreter import Interpreter
from leoflow_builder.lock import LOCK_NAME
from leoflow_builder.oci.image import BelowImage
from leoflow_builder.ownimage.dockerfilebuild import DockerfileOrder, build_dockerfile
from leoflow_builder.ownimage.finding import Doors, Found, ImageFinder, Wanted
from leoflow_builder.ownimage.keeping import KeptImage
from leoflow_builder.ownimage.probe import Facts
from leoflow_builder.ownimage.standing import Look, OwnBaseError, engine_name, look_into
from leoflow_builder.ownimage.unpacked import UnpackedImage, ensure_unpacked
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project
from leoflow_builder.projectfile import choose_files
from leoflow_builder.target import MACHINES, Target

Say = Callable[[str], None]
# What tasks do not obey, unlike a Python that is started without the agent.
_UNHEARD = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")


@dataclass(frozen=True)
class OwnBase:
    """An image of the user's own that was looked into.

    ``key`` is the one of leoflow.yaml that names it, ``reference`` its value. ``dag_json`` is the
    DAG in a ready image that is used as it is, else None.
    """

    key: str
    reference: str
    found: Found
    target: Target
    ground: Ground
    interpreter: Interpreter
    has_bash: bool
    unpacked: UnpackedImage
    dag_json: bytes | None = None

    @property
    def spoken(self) -> str:
        """How messages name it."""
        return f"{self.key} '{self.reference}'"

    @property
    def digest(self) -> str:
        """The digest of its manifest: what a lock records."""
        return self.found.kept.digest

    @property
    def below(self) -> BelowImage:
        """It as what another image stands on."""
        return self.found.kept.below(self.unpacked.has_leoflow)


@dataclass(frozen=True)
class Pin:
    """The digest that a lock records, and with ``strict`` the only one that may be used."""

    digest: str | None = None
    strict: bool = False


@dataclass(frozen=True)
class Ways:
    """The ways to engines and registries; tests give others."""

    doors: Doors = field(default_factory=Doors)
    engine: Callable[[], Engine] = WhalesEngine


def find_own_base(
    project: Project, home: Path, say: Say, pin: Pin | None = None, ways: Ways | None = None
) -> OwnBase:
    """Return the image that a project names in leoflow.yaml, found and looked into.

    ProjectError, with the line, if it cannot run the project; BuildError if it is not to be had.
    """
    ways, pin = ways or Ways(), pin or Pin()
    key, text = project.own_image or ("", "")
    what = f"{key} '{text}'"
    if key == "dockerfile":
        found = Found(_built(project, text, home, say, ways))
    else:
        wanted = Wanted(key, text, project.folder, this_platform(), pin.digest, pin.strict)
        found = ImageFinder(home, say, ways.doors).find(wanted)
    _tell_unheard(found, what, say)
    unpacked = ensure_unpacked(found.kept, home)
    look = Look(what, project.python_version, _folders(project, home), ways.doors.images)
    try:
        standing = look_into(found, unpacked, look)
    except OwnBaseError as error:
        raise ProjectError([project.problem(str(error), key)]) from None
    target = _target(standing.facts)
    ground = _ground(standing.facts, target, found)
    dag_json = _ready_dag(unpacked) if key == "image" else None
    bash = standing.facts.bash
    return OwnBase(key, text, found, target, ground, standing.interpreter, bash, unpacked, dag_json)


def _built(project: Project, name: str, home: Path, say: Say, ways: Ways) -> KeptImage:
    dockerfile = project.folder / name
    if not dockerfile.is_file():
        message = f"dockerfile '{name}' is not in the project: create it, or correct the name"
        raise ProjectError([project.problem(message, "dockerfile")])
    files = choose_files(project.folder, project.settings.allow_secret_files).chosen
    # It tells the digest of what comes out of the build.
    files = {name: path for name, path in files.items() if name != LOCK_NAME}
    order = DockerfileOrder(dockerfile, files, this_platform())
    return build_dockerfile(order, ways.engine(), ways.doors.images(), home, say)


def _tell_unheard(found: Found, what: str, say: Say) -> None:
    for name in _UNHEARD:
        if found.kept.config.environment.get(name):
            say(
                f"{what} sets {name}, which tasks do not obey. Write it under 'environment' in "
                "leoflow.yaml if they are to"
            )
    for instruction in found.kept.unfollowed:
        say(f"{what} has {instruction}, which is not followed")


def _folders(project: Project, home: Path) -> list[Path]:
    # The builder's own scripts are compiled with, and the caches hold what is compiled.
    folders = [project.folder, home.absolute(), Path(__file__).parent]
    return [*folders, (home / "cache").resolve()]


def _target(facts: Facts) -> Target:
    words = {machine: word for word, machine in MACHINES.items()}
    glibc = (facts.libc or "").split()[1]
    return Target(facts.python_version, glibc, words[facts.machine])


def _ground(facts: Facts, target: Target, found: Found) -> Ground:
    place = Installation(facts.python, facts.sites[0])
    return Ground(
        target.platform,
        place,
        engine_name(found.kept.digest),
        environment=tuple(found.kept.config.environment.items()),
        further_sites=facts.sites[1:],
        has_pth=facts.has_pth,
    )


def _ready_dag(unpacked: UnpackedImage) -> bytes | None:
    """Return the DAG of an image that has the agent; None if the agent is yet to be added."""
    return None if unpacked.read(AGENT_ENTRY) is None else unpacked.read(SPEC_FILE)
