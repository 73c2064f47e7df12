"""The image of one platform: its layers, made or found, and its plan.

It needs the DAG as it was read, so that it may be loaded while that is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leoflow_agent.action import BashAction
from leoflow_agent.spec import DagSpec

from leoflow_builder.agentlayer import ensure_agent
from leoflow_builder.builder import PlannedImage
from leoflow_builder.dagjson import dump_dag
from leoflow_builder.daglayer import ensure_dag_layer
from leoflow_builder.dagsource import DagSources
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.layer import Layer
from leoflow_builder.oci.image import NOTHING
from leoflow_builder.plan import plan_image
from leoflow_builder.prepare import Environment
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project
from leoflow_builder.supply.annotation import created_time

Say = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """The image of one platform: its plan and layers, what it runs on, and the Debian packages
    that are in it."""

    planned: PlannedImage
    environment: Environment
    debs: tuple[DebPackage, ...]


def make_part(
    project: Project,
    environment: Environment,
    spec: DagSpec,
    sources: DagSources,
    home: Path,
    say: Say,
) -> Part:
    """Return the image of one platform, all layers made; that of a ready image is in it."""
    own = environment.footing.own
    if own is not None and own.dag_json is not None:
        from leoflow_builder.readyimage import plan_ready

        return Part(plan_ready(own), environment, ())
    base, debs = _base_layers(project, environment, spec, home, say)
    layers = (*base, *_own_layers(environment, spec, sources, home, say))
    plan = plan_image(
        spec,
        dump_dag(spec),
        environment.footing.ground,
        layers,
        environment.has_pth,
        created_time(os.environ),
    )
    return Part(PlannedImage(plan, layers, own.below if own else NOTHING), environment, debs)


def _own_layers(
    environment: Environment, spec: DagSpec, sources: DagSources, home: Path, say: Say
) -> list[Layer]:
    footing = environment.footing
    python = footing.target.python_version
    agent = ensure_agent(python, footing.ground.place, footing.interpreter, home)
    dag = ensure_dag_layer(sources, dump_dag(spec), python, home)
    for source, reason in sorted(dag.facts["not_compiled"].items()):
        say(f"{source} is no valid Python for {python}, and cannot be imported: {reason}")
    deps = [environment.deps.layer] if environment.deps else []
    return [agent.layer, *deps, dag.layer]


def _base_layers(
    project: Project, environment: Environment, spec: DagSpec, home: Path, say: Say
) -> tuple[list[Layer], tuple[DebPackage, ...]]:
    """Return leoflow's base, with a shell if a task needs one; nothing for a base of one's own."""
    footing = environment.footing
    bash_task = next((one for one in spec.tasks if isinstance(one.action, BashAction)), None)
    base = footing.made
    if base is None:
        if bash_task and footing.own and not footing.own.has_bash:
            message = (
                f"{footing.own.spoken} has no bash, which task '{bash_task.task_id}' needs. "
                "Install it there, or choose another image"
            )
            raise ProjectError([project.problem(message, footing.own.key)])
        return [], ()
    if not bash_task and not project.system_packages:
        return [base.layer], base.packages
    from leoflow_builder.systemlayer import ensure_system

    names, shell = project.system_packages, bash_task is not None
    system = ensure_system(names, base, home, say, shell=shell, pins=footing.system)
    debs = {*base.packages, *system.packages}
    return [base.layer, system.folder.layer], tuple(sorted(debs))
