"""The agent's layer: what is in it, and that it starts."""

import subprocess
import sys
from pathlib import Path

import pytest
from leoflow_builder.agentlayer import (
    AGENT_ENTRY,
    agent_sources,
    ensure_agent,
    write_agent_archive,
)
from leoflow_builder.depslayer import Installation
from leoflow_builder.failure import BuildError
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.layer import LayerFolder

PLACE = Installation("/usr/bin/python3", "/usr/local/lib/python3/dist-packages")
HOST = HostInterpreter(Path(sys.executable))
WORKLOAD_INVALID = 120


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> LayerFolder:
    return ensure_agent("3.11.2", PLACE, HOST, tmp_path_factory.mktemp("home"))


def test_the_contracts_and_the_reader_stay_outside() -> None:
    names = set(agent_sources())
    assert {"leoflow_agent/__main__.py", "leoflow_agent/child.py", "leoflow/__init__.py"} < names
    assert not names & {f"leoflow_agent/{one}.py" for one in ("spec", "wire", "read_dag")}


def test_the_agent_is_one_file_with_a_small_start_and_the_users_package_is_there_with_bytecode(
    layer: LayerFolder,
) -> None:
    folder = layer.tree / "opt/leoflow/agent"
    agent = {path.name: path.stat().st_size for path in (folder / "leoflow_agent").iterdir()}
    assert agent.keys() == {"__main__.pyc", "agent.bin"}
    assert agent["__main__.pyc"] < 1024
    compiled = {path.name.partition(".")[0] for path in folder.rglob("__pycache__/*.pyc")}
    assert compiled == {path.stem for path in (folder / "leoflow").rglob("*.py")}


def test_the_compiled_entry_starts_alone(layer: LayerFolder) -> None:
    entry = layer.tree / AGENT_ENTRY.lstrip("/")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(entry)], capture_output=True, text=True, env={}
    )
    assert done.returncode == WORKLOAD_INVALID
    assert "LEOFLOW_WORKLOAD" in done.stderr


def test_nothing_in_it_needs_what_stays_outside(tmp_path: Path) -> None:
    for name, content in agent_sources().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    names = [path.relative_to(tmp_path).with_suffix("") for path in tmp_path.rglob("*.py")]
    modules = [".".join(name.parts) for name in names if name.name not in ("__main__", "__init__")]
    code = f"import sys, importlib; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += f"for name in {modules}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_archive_starts_as_well(tmp_path: Path) -> None:
    write_agent_archive(tmp_path / "agent.pyz", agent_sources(), sys.executable)
    done = subprocess.run([str(tmp_path / "agent.pyz")], capture_output=True, text=True, env={})
    assert done.returncode == WORKLOAD_INVALID
    assert [path.name for path in tmp_path.iterdir()] == ["agent.pyz"]


def test_two_machines_make_the_same_bytes(layer: LayerFolder, tmp_path: Path) -> None:
    assert ensure_agent("3.11.2", PLACE, HOST, tmp_path).layer.digest == layer.layer.digest


def test_another_python_is_another_layer(layer: LayerFolder) -> None:
    home = layer.tree.parents[3]
    assert ensure_agent("3.11.2", PLACE, HOST, home).layer.reused
    assert not ensure_agent("3.11.3", PLACE, HOST, home).layer.reused


def test_an_agent_that_does_not_compile_is_no_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {**agent_sources(), "leoflow_agent/new.py": b"x = = 1"}
    monkeypatch.setattr("leoflow_builder.agentlayer.agent_sources", lambda: sources)
    with pytest.raises(BuildError, match="new"):
        ensure_agent("3.11.2", PLACE, HOST, tmp_path)
