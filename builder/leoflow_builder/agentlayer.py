"""The layer of the agent and of the `leoflow` package, compiled by the image's interpreter.

It must not import the agent: it finds the packages' files and packs them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leoflow_builder.bytecode import COMPILE_SECONDS, compile_sources, sources_below
from leoflow_builder.cache import make_key
from leoflow_builder.depslayer import Installation
from leoflow_builder.failure import BuildError
from leoflow_builder.interpreter import Interpreter
from leoflow_builder.layer import LayerFolder, ensure_layer

LAYOUT = "5"
AGENT_FOLDER = "/opt/leoflow/agent"
AGENT_ENTRY = f"{AGENT_FOLDER}/leoflow_agent/__main__.pyc"
PACKAGES = ("leoflow", "leoflow_agent")
# What the image's interpreter runs; it is never imported here.
_WORKER = Path(__file__).with_name("bundle_worker.py")
# What only the builder and the control plane read; a task never imports it.
NOT_IN_IMAGE = {
    "leoflow_agent": {
        "action.py",
        "argument.py",
        "branchtarget.py",
        "callcheck.py",
        "dagoption.py",
        "drawndag.py",
        "inline_cap.py",
        "overriderule.py",
        "podname.py",
        "podoption.py",
        "podrule.py",
        "podshape.py",
        "projectreader.py",
        "read_dag.py",
        "shapecheck.py",
        "spec.py",
        "wire.py",
    }
}


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
        import zipfile

        archive = tree.parent / "agent.pyz"
        write_agent_archive(archive, sources, place.python)
        folder = tree / AGENT_FOLDER.lstrip("/")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        (folder / "__main__.py").unlink()
        compile_agent(folder, interpreter)
        return {}

    texts = [_WORKER.read_text(encoding="utf-8")]
    texts += [f"{name}\0{content.decode()}" for name, content in sources.items()]
    key = make_key([LAYOUT, python_version, place.python, *texts])
    return ensure_layer("agent", home.absolute() / "cache" / "agents", key, fill)


def write_agent_archive(archive: Path, sources: dict[str, bytes], python: str) -> None:
    """Write the agent as one zip application, which any Python of the version can run."""
    import zipapp

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


def compile_agent(folder: Path, interpreter: Interpreter) -> None:
    """Turn the sources in ``folder`` into what the image holds.

    The agent becomes one file beside the few bytes that start it. The package that users import
    stays as it is, so that processes started by user code find it as well.
    """
    sources = [name for name in sources_below(folder) if name.startswith("leoflow_agent/")]
    order = {
        "root": str(folder),
        "inside": AGENT_FOLDER,
        "modules": {_module_name(name): name for name in sources_below(folder)},
        "stub": "leoflow_agent/__main__.pyc",
        "rest": "leoflow_agent/agent.bin",
    }
    done = interpreter.run(
        ["-X", "no_debug_ranges", "-S", str(_WORKER)],
        stdin=json.dumps(order).encode(),
        env={"PYTHONHASHSEED": "0"},
        timeout_seconds=COMPILE_SECONDS,
    )
    if done.returncode != 0:
        raise BuildError(
            "the agent does not compile with the image's Python: "
            f"{done.stderr.decode(errors='replace').strip()}. Choose a newer python_version"
        )
    for name in sources:
        (folder / name).unlink()
    # The innermost first; what is not empty holds the file and its start.
    for emptied in sorted({(folder / name).parent for name in sources}, reverse=True):
        if not any(emptied.iterdir()):
            emptied.rmdir()
    compile_sources(interpreter, folder, AGENT_FOLDER, sources_below(folder))


def _module_name(source: str) -> str:
    return source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
