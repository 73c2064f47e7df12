"""Reading dag.py by running it, whatever it does."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from dagfolder import DAG, SETTINGS, problems, read, write
from leoflow_agent.action import BashAction, DictOf, HttpAction, PythonAction, Value, XCom
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import load_project
from leoflow_builder.reading import read_dag


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
