"""The layer of the agent and of the `leoflow` package, compiled by the image's interpreter.

It must not import the agent: it finds the packages' files and packs them.
"""

from __future__ import annotations

import shutil
import zipapp
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leoflow_builder.bytecode import compile_sources, sources_below
from leoflow_builder.cache import make_key
from leoflow_builder.depslayer import Installation
from leoflow_builder.failure import BuildError
from leoflow_builder.interpreter import Interpreter
from leoflow_builder.layer import LayerFolder, ensure_layer

LAYOUT = "1"
AGENT_FOLDER = "/opt/leoflow/agent"
AGENT_ENTRY = f"{AGENT_FOLDER}/leoflow_agent/__main__.pyc"
PACKAGES = ("leoflow", "leoflow_agent")
# What only the builder and the control plane read; a task never imports it.
NOT_IN_IMAGE = {"leoflow_agent": {"inline_cap.py", "read_dag.py", "spec.py", "wire.py"}}


def agent_sources() -> dict[str, bytes]:
    """Return the sources that run inside the container, by their path in the agent's folder."""
    return dict(sorted(_sources()))


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        folder = package_folder(package)
        for path in folder.rglob("*.py"):
            name = path.relative_to(folder).as_posix()
            if name not in NOT_IN_IMAGE.get(package, ()):
                yield f"{package}/{name}", path.read_bytes()


def package_folder(package: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BuildError(f"leoflow's own package '{package}' is missing. Install leoflow again")
    return Path(spec.submodule_search_locations[0])


def ensure_agent(
    python_version: str, place: Installation, interpreter: Interpreter, home: Path
) -> LayerFolder:
    """Return the agent layer for a whole Python version ("3.11.2"), made if it is missing."""
    sources = agent_sources()

    def fill(tree: Path) -> dict[str, Any]:
        archive = tree.parent / "agent.pyz"
        write_agent_archive(archive, sources, place.python)
        folder = tree / AGENT_FOLDER.lstrip("/")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        _compile(folder, interpreter)
        return {}

    texts = [f"{name}\0{content.decode()}" for name, content in sources.items()]
    key = make_key([LAYOUT, python_version, place.python, *texts])
    return ensure_layer("agent", home.absolute() / "cache" / "agents", key, fill)


def write_agent_archive(archive: Path, sources: dict[str, bytes], python: str) -> None:
    """Write the agent as one zip application, which any Python of the version can run."""
    folder = archive.with_suffix(".sources")
    try:
        for name, content in sources.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        (folder / "__main__.py").write_bytes(sources["leoflow_agent/__main__.py"])
        zipapp.create_archive(folder, archive, interpreter=python)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compile(folder: Path, interpreter: Interpreter) -> None:
    (folder / "__main__.py").unlink()
    failed = compile_sources(interpreter, folder, AGENT_FOLDER, sources_below(folder))
    if failed:
        raise BuildError(
            f"the agent does not compile with the image's Python: {failed}. "
            "Choose a newer python_version"
        )
    compiled = next((folder / "leoflow_agent" / "__pycache__").glob("__main__.*.pyc"))
    # Named by its own path, so that the interpreter starts it without looking for a package.
    shutil.copyfile(compiled, folder / "leoflow_agent" / "__main__.pyc")
