"""Gets ready all that a project's images are made of: reads the DAG, makes layers, plans images.

It makes no image and knows no destination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_agent.inline_cap import DEFAULT_CAP_SECONDS

from leoflow_builder.dagsource import DagSources, compile_files, without_bytecode
from leoflow_builder.meanwhile import Meanwhile
from leoflow_builder.memo import FORGETFUL, memo_in
from leoflow_builder.prepare import Environment, native_platform, prepare, prepare_foreign
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project, load_project
from leoflow_builder.projectfile import ProjectFiles, choose_files
from leoflow_builder.readerfolder import ensure_reader
from leoflow_builder.reading import DEFAULT_TIMEOUT_SECONDS, read_dag
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.wish import BuildWish

if TYPE_CHECKING:
    from leoflow_agent.spec import DagSpec

    from leoflow_builder.builder import PlannedImage
    from leoflow_builder.part import Part

Say = Callable[[str], None]
NAMES_SHOWN = 8
# What is needed once the DAG was read, and is loaded while the image's interpreter reads it.
_LATER = ("answer", "compile", "part", "oci.layout", "layerblob", "delivery")
_LATER_OUTSIDE = ("describing",)
_LATER_FOR_PUSH = ("registry.push",)


@dataclass(frozen=True)
class Options:
    """What was asked for, and the limits that hold when a DAG is read."""

    wish: BuildWish = field(default_factory=BuildWish)
    read_timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    inline_cap_seconds: float = DEFAULT_CAP_SECONDS


@dataclass(frozen=True)
class Assembly:
    """A project, read, with a part for each platform. ``ignored`` is what the user's ignore files
    leave out; ``native`` is what the DAG was read with."""

    project: Project
    spec: DagSpec
    tag: str
    parts: tuple[Part, ...]
    ignored: tuple[str, ...]
    native: Environment

    @property
    def first(self) -> PlannedImage:
        """The image of the platform that was named first."""
        return self.parts[0].planned

    @property
    def platform(self) -> str:
        """All platforms, as they are written on the command line."""
        return ",".join(part.planned.plan.platform for part in self.parts)


def assemble(folder: Path, home: Path, say: Say, options: Options) -> Assembly:
    """Return a project with all that its images are made of; ``home`` is LEOFLOW_HOME.

    ProjectError if the project is at fault, BuildError or BaseImageError if the machinery is.
    """
    wish = options.wish
    project = load_project(folder, memo_in(home))
    native = prepare(project, home, say, locked=wish.locked)
    with (
        scratch_folder("leoflow-sources-") as scratch,
        Meanwhile(lambda: _early_sources(project, native, scratch)) as early,
        Meanwhile(lambda: _load_later(wish)),
    ):
        spec = read_spec(project, native, options, home)
        files = choose_files(project.folder, project.settings.allow_secret_files)
        if files.ignored:
            say(f"left out by ignore files: {_shortened(files.ignored)}")
        environments = _environments(project, native, home, say, wish)
        sources = early.result()
        if sources is None or sources.chosen != files.chosen:
            # What was imported may have written files.
            sources = _sources(native, files, scratch / "late")
        from leoflow_builder.part import make_part

        parts = tuple(make_part(project, one, spec, sources, home, say) for one in environments)
    from leoflow_builder.plan import default_tag

    tag = wish.tag or _own_name(native) or default_tag(spec.dag_id, parts[0].planned.plan)
    return Assembly(project, spec, tag, parts, files.ignored, native)


def _load_later(wish: BuildWish) -> None:
    names = [*_LATER]
    if wish.push or wish.output is not None:
        names += _LATER_OUTSIDE
    if wish.push:
        from leoflow_builder.registry.lighthttp import load_httpx

        load_httpx()
    if wish.builder == "buildkit":
        import python_on_whales  # noqa: F401 - half a second, while the DAG is read

        names += _LATER_FOR_PUSH
    for name in names:
        import_module(f"leoflow_builder.{name}")


def _early_sources(project: Project, native: Environment, scratch: Path) -> DagSources | None:
    """Return the files with bytecode, while the DAG is read; None if they are not fit for it."""
    with suppress(ProjectError):
        files = choose_files(project.folder, project.settings.allow_secret_files)
        return _sources(native, files, scratch / "early")
    return None


def _sources(native: Environment, files: ProjectFiles, scratch: Path) -> DagSources:
    if _is_ready(native):
        return without_bytecode(files.chosen)
    return compile_files(files.chosen, native.interpreter, scratch)


def _is_ready(environment: Environment) -> bool:
    """Tell whether the image holds a DAG already, and is used as it is."""
    own = environment.footing.own
    return own is not None and own.dag_json is not None


def read_spec(
    project: Project,
    environment: Environment,
    options: Options | None = None,
    home: Path | None = None,
) -> DagSpec:
    """Read a project's DAG with the interpreter and the packages that its image will have.

    That of a ready image is in it; a DAG in the folder has to be the same. With LEOFLOW_HOME in
    ``home``, what was checked or compiled before is not again.
    """
    own, options = environment.footing.own, options or Options()
    if own is None or own.dag_json is None:
        return _read_dag(project, environment, options, home)
    from leoflow_builder.readyimage import ready_dag, refuse_difference

    ready = ready_dag(own, project)
    if project.entry:
        refuse_difference(own, project, ready, _read_dag(project, environment, options, home))
    return ready


def _read_dag(
    project: Project, environment: Environment, options: Options, home: Path | None
) -> DagSpec:
    footing, reader = environment.footing, None
    # A container sees other folders of this host than the cache.
    if home is not None and footing.own is None:
        reader = ensure_reader(footing.interpreter, footing.target.python_version, home)
    return read_dag(
        project,
        environment.interpreter,
        environment.site_path,
        options.read_timeout_seconds,
        options.inline_cap_seconds,
        FORGETFUL if home is None else memo_in(home),
        reader,
    )


def _own_name(native: Environment) -> str | None:
    """Return the name that a ready image has already."""
    own = native.footing.own
    return own.found.name if own is not None and _is_ready(native) else None


def _environments(
    project: Project, native: Environment, home: Path, say: Say, wish: BuildWish
) -> list[Environment]:
    """Return what each image is made for; every one adds its platform to the same lock."""
    found, latest = [], native
    for platform in wish.platforms or (native_platform(),):
        if platform != native.footing.target.platform:
            latest = prepare_foreign(project, platform, latest, home, say, locked=wish.locked)
            found.append(latest)
        else:
            found.append(native)
    return found


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
