"""The agent's budget, held on what does not depend on the machine: see CONTRIBUTING.md."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from leoflow_builder.agentlayer import AGENT_ENTRY, agent_sources, ensure_agent
from leoflow_builder.baseimage import BaseImage, ensure_base
from leoflow_builder.depslayer import Installation
from leoflow_builder.interpreter import RootfsInterpreter
from leoflow_builder.layer import LayerFolder

from benchmarks.coldstart import agentlimits as limits
from benchmarks.coldstart.codelines import CodeSize, code_size
from benchmarks.coldstart.counting import Interpreter, Started
from benchmarks.coldstart.nooptry import control_plane, variables

SOURCES = Path(__file__).parents[2] / "agent"
LATER = "Import what a no-op task does not need where it is needed."
DAG = """\
import posix

from leoflow import dag, task


@task
def noop():
    posix._exit(0)


@dag
def project():
    noop()


project()
"""
TELL_MODULES = """\
import sys
posix = sys.modules["posix"]
posix.write(1, ("modules " + " ".join(sorted(sys.modules)) + "\\n").encode())
"""
# Runs the agent's start. Nothing may be printed: the supervisor would load what copies it.
WATCHED = """\
import posix
import sys

leave = posix._exit

def tell(code):
    file = posix.open("{folder}/loaded-" + str(posix.getpid()), posix.O_CREAT | posix.O_WRONLY)
    posix.write(file, " ".join(sys.modules).encode())
    leave(code)

posix._exit = tell
__file__ = "{entry}"
exec(compile(open(__file__).read(), __file__, "exec"))
"""


@pytest.fixture(scope="module")
def base(shared_home: Path) -> BaseImage:
    return ensure_base("3.11", shared_home, print)


@pytest.fixture(scope="module")
def python(base: BaseImage) -> Interpreter:
    return Interpreter(base.rootfs)


@pytest.fixture(scope="module")
def layer(base: BaseImage, shared_home: Path) -> LayerFolder:
    place = Installation(base.python, base.site_packages)
    return ensure_agent(base.python_version, place, RootfsInterpreter(base.rootfs), shared_home)


@pytest.fixture(scope="module")
def agent(layer: LayerFolder) -> Path:
    return layer.tree / AGENT_ENTRY.lstrip("/")


@pytest.fixture(scope="module")
def first_line(python: Interpreter) -> Started:
    """The bare interpreter to its first line."""
    return python.count(["-c", "import posix; posix._exit(0)"])


@pytest.fixture(scope="module")
def bare_pass(python: Interpreter) -> Started:
    return python.count(["-c", "pass"])


@pytest.fixture(scope="module")
def started(python: Interpreter, agent: Path, tmp_path_factory: pytest.TempPathFactory) -> Started:
    """A try up to user code, which is a function of a module that every interpreter has."""
    folder = tmp_path_factory.mktemp("try")
    with control_plane(folder) as plane:
        given = variables(plane.endpoint, folder, "posix", "_exit", [0])
        return python.count([str(agent)], given)


def run(
    python: Interpreter,
    arguments: list[str],
    given: dict[str, str],
    within: Sequence[str] = (),
) -> str:
    """Run natively to the end, started by the command ``within``; return stdout and stderr."""
    done = subprocess.run(
        [*within, *python.command(arguments)],
        env=python.environment(given),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.stdout


def modules_in(said: str) -> set[str]:
    (line,) = [line for line in said.splitlines() if line.startswith("modules ")]
    return set(line.split()[1:])


def hold(found: float, limit: limits.Limit, remedy: str) -> None:
    """Fail with the limit's own words; print the figure for who runs with -s or -rP."""
    print(f"{limit.what}: {found:.6g}")
    complaint = limit.complaint(found, remedy)
    assert complaint is None, complaint


def test_no_module_is_imported_before_user_code_but_the_known_ones(
    python: Interpreter, agent: Path, tmp_path: Path
) -> None:
    (tmp_path / "steps.py").write_text(f"{TELL_MODULES}def task(): pass\n")
    with control_plane(tmp_path) as plane:
        said = run(python, [str(agent)], variables(plane.endpoint, tmp_path, "steps", "task"))
    bare = modules_in(run(python, ["-c", TELL_MODULES], {}))
    found = modules_in(said) - bare - {"steps"}
    new = ", ".join(sorted(found - limits.MODULES))
    assert not new, f"imported before user code, and not in agentlimits.MODULES: {new}. {LATER}"
    assert found == limits.MODULES, f"gone, so take them off the list: {limits.MODULES - found}"
    assert len(limits.MODULES) <= 6


def test_no_file_is_opened_before_user_code_but_the_known_ones(
    started: Started, first_line: Started
) -> None:
    bare = Counter(first_line.first.opened)
    (child,) = started.forked
    found = Counter(child.opened) - bare
    names = Counter({_file_name(path): count for path, count in found.items()})
    new = names - Counter(limits.OPENED)
    assert not new, f"opened before user code, and not in agentlimits.OPENED: {dict(new)}. {LATER}"
    assert names == Counter(limits.OPENED), f"opened no longer: {Counter(limits.OPENED) - names}"


def _file_name(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.partition(".")[0] if ".so" in name else name


def test_user_code_is_reached_within_the_instructions(
    started: Started, first_line: Started, bare_pass: Started
) -> None:
    (child,) = started.forked
    taken = child.instructions
    hold(taken / first_line.first.instructions, limits.TO_USER_CODE, LATER)
    hold(taken / bare_pass.first.instructions, limits.TO_USER_CODE_OF_PASS, LATER)


def test_a_task_of_a_dag_is_reached_within_the_instructions(
    python: Interpreter, agent: Path, bare_pass: Started, tmp_path: Path
) -> None:
    """What the package that users import does while a DAG is drawn counts here, too."""
    (tmp_path / "dag.py").write_text(DAG)
    with control_plane(tmp_path) as plane:
        given = variables(plane.endpoint, tmp_path, "dag", "noop")
        run(python, [str(agent)], given)
        (child,) = python.count([str(agent)], given).forked
    assert (tmp_path / "__pycache__").exists(), "the DAG would be compiled while it is counted"
    hold(child.instructions / bare_pass.first.instructions, limits.TO_TASK, LATER)


def test_both_processes_together_are_within_the_instructions(
    python: Interpreter, agent: Path, bare_pass: Started, tmp_path: Path
) -> None:
    with control_plane(tmp_path) as plane:
        given = variables(plane.endpoint, tmp_path, "posix", "sched_yield")
        taken = python.count_all([str(agent)], given)
        assert plane.finished()["state"] == "success"
    hold(taken / bare_pass.first.instructions, limits.WHOLE, LATER)


def test_user_code_waits_for_no_answer_of_the_control_plane(
    python: Interpreter, agent: Path, tmp_path: Path
) -> None:
    """Nobody listens at the endpoint, and the task is run all the same."""
    (tmp_path / "steps.py").write_text("def task():\n    open('ran', 'w').close()\n")
    given = variables(f"unix:{tmp_path}/nobody", tmp_path, "steps", "task")
    process = subprocess.Popen(
        python.command([str(agent)]),
        env=python.environment(given),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        until = time.monotonic() + 30
        while not (tmp_path / "ran").exists():
            assert process.poll() is None, f"the agent left; it said {said!r}"
            assert time.monotonic() < until, f"user code waits; the agent said {said!r}"
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()
    assert "is away" in said


def test_the_agent_is_small(
    python: Interpreter, agent: Path, layer: LayerFolder, base: BaseImage
) -> None:
    remedy = "Look at what is new in the agent."
    content = agent.with_name("agent.bin")
    read = f"import marshal; file = open({str(content)!r}, 'rb'); marshal.load(file)"
    early = run(python, ["-c", f"{read}; print(file.tell())"], {})
    hold(int(early), limits.START_BYTES, remedy)
    hold(content.stat().st_size, limits.AGENT_BYTES, remedy)
    hold(layer.layer.size_bytes, limits.LAYER_BYTES, remedy)
    hold(base.layer.size_bytes + layer.layer.size_bytes, limits.IMAGE_BYTES, remedy)
    unpacked = base.layer.unpacked_bytes + layer.layer.unpacked_bytes
    hold(unpacked, limits.UNPACKED_BYTES, remedy)


def test_the_code_of_the_agent_is_short(python: Interpreter, tmp_path: Path) -> None:
    """Of what a no-op task loads in its two processes, found out with the sources."""
    loaded = _loaded(python, tmp_path)
    assert "leoflow_agent/supervisor.py" in loaded
    assert "leoflow_agent/child.py" in loaded
    sizes = {name: code_size(text.decode()) for name, text in agent_sources().items()}
    sizes = {name: size for name, size in sizes.items() if name.startswith("leoflow_agent/")}
    noop = _sum(sizes[name] for name in loaded)
    kinds = [name for name in sizes if name.startswith(limits.TASK_KINDS)]
    for start in limits.TASK_KINDS:
        assert any(name.startswith(start) for name in kinds), f"there is no '{start}'"
    whole = _sum(size for name, size in sizes.items() if name not in kinds)
    for what, size in (
        ("what a no-op task loads", noop),
        (f"the agent without the {len(kinds)} modules of task kinds", whole),
        ("all of the agent", _sum(sizes.values())),
    ):
        print(f"{what}: {size.lines:,} lines of code, {size.bytes:,} bytes")
    remedy = (
        f"The agent without task kinds has {whole.lines:,} lines. "
        "Lines without blank lines, comments and docstrings."
    )
    hold(noop.lines, limits.LINES, remedy)
    hold(noop.bytes, limits.CODE_BYTES, remedy)


def _sum(sizes: Iterable[CodeSize]) -> CodeSize:
    return sum(sizes, CodeSize(0, 0))


def test_a_descriptor_that_was_handed_down_is_not_taken_for_a_file_of_the_tasks(
    python: Interpreter, tmp_path: Path
) -> None:
    """To look for files that were not closed goes through all objects of the interpreter."""
    within = ["/bin/sh", "-c", 'exec "$@" 3</dev/null 4</dev/null', "sh"]
    assert "leoflow_agent/unflushed.py" not in _loaded(python, tmp_path, within)


def _loaded(python: Interpreter, folder: Path, within: Sequence[str] = ()) -> list[str]:
    """Return the files of the agent's modules that there are when its two processes leave."""
    entry = SOURCES / "leoflow_agent/__main__.py"
    (folder / "watched.py").write_text(WATCHED.format(entry=str(entry), folder=str(folder)))
    with control_plane(folder) as plane:
        given = variables(plane.endpoint, folder, "posix", "sched_yield")
        run(python, [str(folder / "watched.py")], given, within)
        assert plane.finished()["state"] == "success"
    left = list(folder.glob("loaded-*"))
    assert len(left) == 2
    names = {name for file in left for name in file.read_text().split()}
    modules = {name.replace(".", "/") + ".py" for name in names if name[:14] == "leoflow_agent."}
    return sorted({"leoflow_agent/__main__.py", "leoflow_agent/bundle.py", *modules})
