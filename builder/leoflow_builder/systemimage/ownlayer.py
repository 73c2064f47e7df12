"""The layers of leoflow's own code: the control plane's packages, and the agents of every Python.

They hold what this leoflow runs itself, so they need no index. What they import is not theirs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leoflow_builder.agentlayer import AGENT_FOLDER, agent_sources, package_folder
from leoflow_builder.bytecode import compile_sources, sources_below
from leoflow_builder.cache import make_key
from leoflow_builder.entryscript import entry_scripts
from leoflow_builder.installation import Installation
from leoflow_builder.interpreter import Interpreter
from leoflow_builder.layer import LayerFolder, ensure_layer

LAYOUT = "1"
PACKAGES = (
    "leoflow",
    "leoflow_agent",
    "leoflow_base_images",
    "leoflow_builder",
    "leoflow_cli",
    "leoflow_controlplane",
)
AGENTS_FOLDER = "/opt/leoflow/agents"
# For the Pythons that no agent is compiled for.
ANY_PYTHON = "source"
COPIER = f"{AGENTS_FOLDER}/copy.py"
_COPIER_SOURCE = Path(__file__).with_name("copier.py")
_ENTRY_POINTS = "[console_scripts]\nleoflow = leoflow_cli.entry:main\n"


def own_sources() -> dict[str, bytes]:
    """Return all files of leoflow's packages but bytecode, by their path in the site folder."""
    return dict(sorted(_sources()))


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        folder = package_folder(package)
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                yield f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def ensure_own(
    version: str, python_version: str, place: Installation, interpreter: Interpreter, home: Path
) -> LayerFolder:
    """Return the layer of leoflow as it would be installed, compiled, with its program."""
    sources = own_sources()

    def fill(tree: Path) -> dict[str, Any]:
        site = place.site_in(tree)
        _write(site, sources)
        _write(site / f"leoflow-{version}.dist-info", _metadata(version))
        program = tree / program_path(place).lstrip("/")
        program.parent.mkdir(parents=True, exist_ok=True)
        entry_points = site / f"leoflow-{version}.dist-info" / "entry_points.txt"
        program.write_text(entry_scripts(entry_points, place.python)["leoflow"], encoding="utf-8")
        program.chmod(0o755)
        compile_sources(interpreter, site, place.site_packages, sources_below(site))
        return {}

    key = make_key([LAYOUT, version, python_version, place.python, *_described(sources)])
    return ensure_layer("leoflow", home.absolute() / "cache" / "agents", key, fill)


def program_path(place: Installation) -> str:
    """Return where `leoflow` lies inside the image."""
    return f"{place.prefix}/bin/leoflow"


def ensure_agents(agents: Mapping[str, Path], home: Path) -> LayerFolder:
    """Return the layer of agents; ``agents`` are agent layers' trees by Python ("3.11").

    Each lies in AGENTS_FOLDER/PYTHON, to be mounted or copied to where an image of leoflow's
    making has its agent. Sources in AGENTS_FOLDER/source serve every other Python.
    """
    sources = agent_sources()

    def fill(tree: Path) -> dict[str, Any]:
        folder = tree / AGENTS_FOLDER.lstrip("/")
        for python, agent in agents.items():
            shutil.copytree(agent / AGENT_FOLDER.lstrip("/"), folder / python)
        _write(folder / ANY_PYTHON, sources)
        shutil.copyfile(_COPIER_SOURCE, tree / COPIER.lstrip("/"))
        return {}

    made_of = [f"{python} {agent}" for python, agent in sorted(agents.items())]
    copier = _COPIER_SOURCE.read_text(encoding="utf-8")
    key = make_key([LAYOUT, copier, *made_of, *_described(sources)])
    return ensure_layer("agents", home.absolute() / "cache" / "agents", key, fill)


def _metadata(version: str) -> dict[str, bytes]:
    return {
        "METADATA": f"Metadata-Version: 2.1\nName: leoflow\nVersion: {version}\n".encode(),
        "entry_points.txt": _ENTRY_POINTS.encode(),
    }


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _described(sources: Mapping[str, bytes]) -> list[str]:
    return [f"{name}\0{content.decode()}" for name, content in sources.items()]
