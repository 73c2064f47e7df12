"""Reading dag.py by running it, whatever it does."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from leoflow_agent.action import BashAction, DictOf, HttpAction, PythonAction, Value, XCom
from leoflow_agent.spec import DagSpec
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import load_project
from leoflow_builder.reading import read_dag

HOST = HostInterpreter(Path(sys.executable))
SETTINGS = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"
DAG = """
from leoflow import dag, task

@task
def extract():
    return 1

@dag
def project():
    extract()

project()
"""


def write(folder: Path, dag: str = DAG, settings: str = SETTINGS, **files: str) -> Path:
    (folder / "dag.py").write_text(textwrap.dedent(dag), encoding="utf-8")
    (folder / "leoflow.yaml").write_text(settings, encoding="utf-8")
    for name, text in files.items():
        path = folder / name.replace("_py", ".py")
        path.write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, *path: Path, timeout_seconds: float = 30.0) -> DagSpec:
    return read_dag(load_project(folder), HOST, path, timeout_seconds)


def problems(folder: Path, *path: Path, timeout_seconds: float = 30.0) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        read(folder, *path, timeout_seconds=timeout_seconds)
    return [str(problem) for problem in caught.value.problems]


def test_a_whole_dag_is_read(tmp_path: Path) -> None:
    spec = read(
        write(
            tmp_path,
            """
            from leoflow import dag, task

            @task(retries=2, trigger_rule="all_done")
            def extract(n, run_id):
                return n

            @task.bash
            def show(rows):
                return "ls"

            @dag("weather", description="of Seattle", tags=["a"], params={"year": 2012})
            def project():
                rows = extract(3)
                task.http_api(task_id="call", url="http://x/", body={"rows": rows}) >> show(rows)

            project()
            """,
        )
    )
    assert (spec.dag_id, spec.description, spec.tags) == ("weather", "of Seattle", ("a",))
    assert spec.params == {"year": 2012}
    extract, call, show = spec.tasks
    assert extract.action == PythonAction("dag", None, (Value(3),))
    assert (extract.retries, extract.trigger_rule, extract.source.line) == (2, "all_done", 14)
    assert call.action == HttpAction("http://x/", body=DictOf({"rows": XCom("extract")}))
    assert show.action == BashAction(python=PythonAction("dag", None, (XCom("extract"),)))
    assert show.upstream_task_ids == ("extract", "call")


def test_what_user_code_prints_does_not_break_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "leoflow.read")
    noise = "import os, sys\nprint('{\"dag\": 1}')\nos.system('echo from a child')\n"
    assert read(write(tmp_path, noise + "sys.stdin.read()\n" + DAG)).dag_id == "project"
    assert '{"dag": 1}' in caplog.text
    assert "from a child" in caplog.text


def test_modules_of_the_project_and_of_the_path_are_importable(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "pandoc_like.py").write_text("VALUE = 1\n")
    folder = tmp_path / "project"
    folder.mkdir()
    write(folder, "import pandoc_like, steps\n" + DAG, steps_py="from pandoc_like import VALUE\n")
    assert read(folder, library).dag_id == "project"


def test_what_is_installed_beside_the_builder_is_not_importable(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "import pydantic\n" + DAG))
    assert problem.startswith("dag.py:1: No module named 'pydantic': add the package that has it")


def test_a_reading_without_the_dependencies_says_so(tmp_path: Path) -> None:
    folder = write(tmp_path, "import absent_thing\n" + DAG, SETTINGS + "dependencies: [absent]\n")
    (problem,) = problems(folder)
    assert "It was read without the project's dependencies; `leoflow build`" in problem


def test_a_broken_library_is_told_at_the_line_that_imports_it(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "fragile.py").write_text("import absent_thing\n")
    folder = tmp_path / "project"
    folder.mkdir()
    (problem,) = problems(write(folder, "import os\nimport fragile\n" + DAG), library)
    assert problem.startswith("dag.py:2: No module named 'absent_thing'")


def test_reading_leaves_no_bytecode_in_the_project(tmp_path: Path) -> None:
    read(write(tmp_path, "import steps\n" + DAG, steps_py=""))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dag.py",
        "leoflow.yaml",
        "steps.py",
    ]


def test_only_the_declared_environment_and_the_project_folder_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    code = (
        "import os\n"
        "assert os.environ['REGION'] == 'eu'\n"
        "assert 'SECRET_OF_THE_HOST' not in os.environ\n"
        "assert os.path.exists('dag.py')\n"
    )
    assert read(write(tmp_path, code + DAG, SETTINGS + "environment: {REGION: eu}\n"))


def test_a_task_made_in_another_module_is_placed_there(tmp_path: Path) -> None:
    steps = "from leoflow import task\n\n@task\ndef load():\n    pass\n\ndef draw():\n    load()\n"
    dag = DAG.replace("    extract()\n", "    steps.draw()\n")
    spec = read(write(tmp_path, "import steps\n" + dag, steps_py=steps))
    assert (spec.tasks[0].source.file, spec.tasks[0].source.line) == ("steps.py", 8)


def test_a_package_that_hides_the_entry_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "dag").mkdir()
    (folder / "dag" / "__init__.py").write_text("")
    (problem,) = problems(folder)
    assert problem == "dag.py: 'dag/__init__.py' is imported in its place: rename one of them"


def test_a_slow_import_is_told_with_the_line_that_it_hangs_in(tmp_path: Path) -> None:
    folder = write(tmp_path, "import steps\n" + DAG, steps_py="import time\n\n\ntime.sleep(600)\n")
    begin = time.monotonic()
    (problem,) = problems(folder, timeout_seconds=0.5)
    assert time.monotonic() - begin < 5
    assert problem.startswith("steps.py:4: was still being imported after 0.5 s.")


def test_a_process_left_behind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leoflow_builder.reading._SPARE_SECONDS", 0.5)
    code = "import subprocess\nsubprocess.Popen(['sleep', '600'])\n"
    (problem,) = problems(write(tmp_path, code + DAG), timeout_seconds=1)
    assert problem.startswith("dag.py: starts a process that goes on after the import")


def test_a_thread_left_behind_does_not_hold_the_reader(tmp_path: Path) -> None:
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert read(write(tmp_path, code + DAG), timeout_seconds=10).dag_id == "project"


def test_a_crash_of_the_interpreter_is_told_with_its_line(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "import ctypes\nctypes.string_at(0)\n" + DAG))
    assert problem.startswith("dag.py:2: the interpreter crashed while it was imported: Fatal")


def test_context_is_given_at_run_time_so_it_may_be_absent(tmp_path: Path) -> None:
    takes = "def extract(ti, params, *, logical_date):"
    assert read(write(tmp_path, DAG.replace("def extract():", takes)))


def test_a_function_may_take_the_context_as_a_whole(tmp_path: Path) -> None:
    assert read(write(tmp_path, DAG.replace("def extract():", "def extract(**context):")))


def test_a_wrapper_is_looked_through(tmp_path: Path) -> None:
    wrapper = (
        "import functools\n"
        "def logged(function):\n"
        "    @functools.wraps(function)\n"
        "    def wrapper(*args, **kwargs):\n        return function(*args, **kwargs)\n"
        "    return wrapper\n"
    )
    fits = DAG.replace("@task\ndef extract():", "@task\n@logged\ndef extract(ds):")
    assert fits != DAG
    assert read(write(tmp_path, wrapper + fits))
    (problem,) = problems(write(tmp_path, wrapper + fits.replace("(ds)", "(rows)")))
    assert "missing a required argument: 'rows'" in problem
    generates = fits.replace("(ds):", "(ds):\n    yield 1\n    return 2\n")
    (problem,) = problems(write(tmp_path, wrapper + generates))
    assert "is a generator; a task returns one value" in problem


@pytest.mark.parametrize(("name", "place"), [("conf", "dag_run.conf"), ("dag", "dag_id")])
def test_what_airflow_has_elsewhere_is_told(tmp_path: Path, name: str, place: str) -> None:
    (problem,) = problems(write(tmp_path, DAG.replace("extract():", f"extract({name}):", 1)))
    assert problem.endswith(f"Airflow's '{name}' is {place} here")


def test_what_is_no_context_has_to_be_given(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, DAG.replace("extract():", "extract(ti, rows):", 1)))
    expected = "the call does not fit extract(ti, rows): missing a required argument: 'rows'"
    assert problem == f"dag.py:10: task 'extract': {expected}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("retries='2'", "dag.py:4: task 'extract': retries has to be a whole number, not '2'"),
        ("retries=-1", "dag.py:4: task 'extract': retries is '-1': input should be"),
        (
            "resources={'requests': {'cpu': 'x'}}",
            "dag.py:4: task 'extract': resources.requests.cpu",
        ),
        (
            "artifacts={1}",
            "dag.py:4: task 'extract': artifacts has to be JSON, but artifacts is of",
        ),
        ("task_id=''", "dag.py:10: task_id '' may hold only letters"),
    ],
)
def test_an_option_is_told_at_the_line_where_it_is_written(
    tmp_path: Path, options: str, message: str
) -> None:
    folder = write(tmp_path, DAG.replace("@task\n", f"@task({options})\n"))
    assert [found[: len(message)] for found in problems(folder)] == [message]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("tags='a'", "dag.py:12: @dag: tags has to be a list, not 'a'"),
        ("params={'a': {1}}", "dag.py:12: @dag: params has to be JSON, but params['a'] is of type"),
        ("dag_id='a b'", "dag.py:12: @dag: dag_id: 'a b' may hold only letters"),
    ],
)
def test_an_option_of_the_dag_is_checked(tmp_path: Path, options: str, message: str) -> None:
    folder = write(tmp_path, DAG.replace("@dag\n", f"@dag({options})\n"))
    assert [found[: len(message)] for found in problems(folder)] == [message]


def test_defects_of_code_and_settings_are_told_together(tmp_path: Path) -> None:
    dag = DAG.replace("@task\n", "@task(retrys=1, retries='x')\n").replace(
        "extract()\n\n", "extract(1)\n\n"
    )
    found = problems(write(tmp_path, dag, "tasks: {lode: {}}\n"))
    assert [line.split(": ", 1)[0] for line in found] == [
        "dag.py:4", "dag.py:4", "dag.py:10", "dag.py:10", "leoflow.yaml:1:9",
    ]  # fmt: skip


class FakeInterpreter:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self, output: bytes, exit_code: int = 0) -> None:
        self.output = output
        self.exit_code = exit_code
        self.requests: list[bytes | None] = []

    def run(
        self,
        args: Sequence[str],
        *,
        path: Sequence[Path] = (),
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_seconds: float,
    ) -> subprocess.CompletedProcess[bytes]:
        self.requests.append(stdin)
        return subprocess.CompletedProcess([*args], self.exit_code, self.output, b"")


@pytest.mark.parametrize("output", [b"", b"[]", b"null", b'{"dag": 1}', b"\xff"])
def test_an_answer_that_is_none_is_a_problem(tmp_path: Path, output: bytes) -> None:
    project = load_project(write(tmp_path))
    with pytest.raises(ProjectError, match="ended the interpreter with exit code 7"):
        read_dag(project, FakeInterpreter(output, 7))


def test_a_dag_yaml_without_functions_starts_no_interpreter(tmp_path: Path) -> None:
    (tmp_path / "leoflow.yaml").write_text(SETTINGS)
    (tmp_path / "dag.yaml").write_text("dag_id: d\ntasks: {a: {bash: ls}}\n")
    interpreter = FakeInterpreter(b"")
    assert read_dag(load_project(tmp_path), interpreter).dag_id == "d"
    assert interpreter.requests == []


def test_functions_of_a_dag_yaml_may_be_tasks_or_plain(tmp_path: Path) -> None:
    (tmp_path / "leoflow.yaml").write_text(SETTINGS)
    (tmp_path / "dag.yaml").write_text(
        "dag_id: d\ntasks:\n  a: {python: 'steps:a'}\n  b: {python: 'steps:b', args: [1, 2]}\n"
    )
    steps = "from leoflow import task\n@task\ndef a(ti): ...\ndef b(x): ...\n"
    (tmp_path / "steps.py").write_text(steps)
    (problem,) = problems(tmp_path)
    expected = "the call does not fit b(x): too many positional arguments"
    assert problem == f"dag.yaml:4: task 'b': {expected}"
