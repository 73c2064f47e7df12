"""Reads a project's DAG by running it, in a process of the image's interpreter and with a limit.

Starts no process itself: the interpreter is an argument. What the process does is
``leoflow_agent.read_dag``, of which this knows only the file.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leoflow_agent.inline_cap import DEFAULT_CAP_SECONDS

from leoflow_builder.interpreter import Interpreter
from leoflow_builder.memo import FORGETFUL, Memo
from leoflow_builder.problem import Problem, ProjectError
from leoflow_builder.project import Project
from leoflow_builder.readerfolder import write_reader
from leoflow_builder.scratch import scratch_folder

if TYPE_CHECKING:
    from leoflow_agent.spec import DagSpec

    from leoflow_builder.drawing import Drawing

DEFAULT_TIMEOUT_SECONDS = 30.0
_SPARE_SECONDS = 5.0
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


def read_dag(
    project: Project,
    interpreter: Interpreter,
    path: Sequence[Path] = (),
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    inline_cap_seconds: float = DEFAULT_CAP_SECONDS,
    memo: Memo = FORGETFUL,
    reader: Path | None = None,
) -> DagSpec:
    """Return the project's DAG, checked whole; ProjectError with every problem that it has.

    ``path`` holds the project's dependencies. ``timeout_seconds`` limits the import of user code.
    What ``memo`` knows is not checked again. ``reader`` is a folder as of `readerfolder`; without
    it, one is written for this once.
    """
    if not project.entry:
        message = "there is no dag.py and no dag.yaml here, which this takes: write one"
        raise ProjectError([project.problem(message)])
    drawing, problems = _read(project, interpreter, path, timeout_seconds, memo, reader)
    if drawing is None:
        raise ProjectError(problems or [Problem(project.entry, None, "draws no DAG")])
    return _compile(project, drawing, problems, inline_cap_seconds)


def find_code_problems(
    project: Project,
    interpreter: Interpreter,
    path: Sequence[Path] = (),
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> list[Problem]:
    """Return what is wrong with a project's code alone, where its settings are wrong already."""
    if not project.entry:
        return []
    try:
        return _read(project, interpreter, path, timeout_seconds, FORGETFUL)[1]
    except ProjectError as error:
        return error.problems


def _read(
    project: Project,
    interpreter: Interpreter,
    path: Sequence[Path],
    timeout_seconds: float,
    memo: Memo,
    reader: Path | None = None,
) -> tuple[Drawing | None, list[Problem]]:
    answer = _ask(project, interpreter, path, timeout_seconds, reader)
    problems = [Problem(**item) for item in answer["problems"]]
    if project.dependencies and not path:
        problems = [_explain_absence(problem) for problem in problems]
    if project.drawing is not None or answer["dag"] is None:
        return project.drawing, problems
    from leoflow_builder.answer import make_drawing

    drawing, found = make_drawing(answer["dag"], project.entry.removesuffix(".py"), memo)
    return drawing, problems + found


def _explain_absence(problem: Problem) -> Problem:
    if not problem.message.startswith("No module named"):
        return problem
    reason = "It was read without the project's dependencies; `leoflow build` reads it with them"
    return replace(problem, message=f"{problem.message}. {reason}")


def _compile(
    project: Project, drawing: Drawing, problems: list[Problem], inline_cap_seconds: float
) -> DagSpec:
    from leoflow_builder.compile import compile_dag

    try:
        compiled = compile_dag(project, drawing, inline_cap_seconds)
    except ProjectError as error:
        raise ProjectError([*problems, *error.problems]) from None
    if problems:
        raise ProjectError(problems)
    return compiled


def _ask(
    project: Project,
    interpreter: Interpreter,
    path: Sequence[Path],
    timeout_seconds: float,
    reader: Path | None,
) -> dict[str, Any]:
    calls = None if project.drawing is None else _calls(project.drawing)
    if calls == []:
        return {"dag": None, "problems": []}
    request = {
        "folder": str(project.folder),
        "entry": project.entry,
        "timeout_seconds": timeout_seconds,
        "calls": calls,
    }
    with _written(reader) as place:
        start = f"import sys; sys.path.insert(0, {str(place)!r})\n"
        start += "from leoflow_agent.read_dag import main; main()"
        try:
            done = interpreter.run(
                ["-c", start],
                path=[place, *path],
                stdin=json.dumps(request).encode(),
                env=project.environment,
                cwd=project.folder,
                timeout_seconds=timeout_seconds + _SPARE_SECONDS,
            )
        except subprocess.TimeoutExpired as late:
            raise ProjectError([_too_late(project, late.output or b"", timeout_seconds)]) from None
    return _understand(project, done, timeout_seconds)


@contextmanager
def _written(reader: Path | None) -> Iterator[Path]:
    if reader is not None:
        yield reader
        return
    with scratch_folder("leoflow-read-") as folder:
        write_reader(folder)
        yield folder


def _understand(
    project: Project, done: subprocess.CompletedProcess[bytes], timeout_seconds: float
) -> dict[str, Any]:
    errors = done.stderr.decode(errors="replace").strip()
    if errors:
        import logging

        logging.getLogger("leoflow.read").info(
            "printed while %s was read:\n%s", project.entry, errors
        )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        problem = _no_answer(project, done.stdout, timeout_seconds, done.returncode)
        raise ProjectError([problem]) from None
    if not isinstance(answer, dict) or set(answer) != {"dag", "problems"}:
        raise ProjectError([_no_answer(project, b"", timeout_seconds, done.returncode)])
    return answer


def _too_late(project: Project, output: bytes, timeout_seconds: float) -> Problem:
    if not output.startswith(b"{"):
        return _no_answer(project, output, timeout_seconds, None)
    message = (
        "starts a process that goes on after the import, and waited for it in vain. "
        "Start it in a task"
    )
    return Problem(project.entry, None, message)


def _no_answer(
    project: Project, output: bytes, timeout_seconds: float, exit_code: int | None
) -> Problem:
    """Say why the reader left without an answer; its watchdog leaves a traceback instead of one."""
    text = output.decode(errors="replace")
    file, line = _last_user_frame(project, text)
    if exit_code is None or text.startswith("Timeout"):
        message = (
            f"was still being imported after {timeout_seconds:g} s. Move the work into a task, or "
            "raise LEOFLOW_DAG_READ_TIMEOUT_SECONDS"
        )
    elif text.startswith("Fatal Python error"):
        message = f"the interpreter crashed while it was imported: {text.splitlines()[0]}"
    else:
        message = (
            f"ended the interpreter with exit code {exit_code} while it was imported. "
            "Remove the call of os._exit, or what kills the process"
        )
    return Problem(file, line, message)


def _last_user_frame(project: Project, traceback: str) -> tuple[str, int | None]:
    for match in _FRAME.finditer(traceback.rpartition("Thread ")[2]):
        file = Path(match["file"])
        if file.is_relative_to(project.folder):
            return file.relative_to(project.folder).as_posix(), int(match["line"])
    return project.entry, None


def _calls(drawing: Drawing) -> list[dict[str, Any]]:
    from leoflow_agent.action import PythonAction

    return [
        {
            "task_id": task.task_id,
            "module": task.action.module,
            "function": task.action.function,
            "args": [None] * len(task.action.args),
            "kwargs": list(task.action.kwargs),
            "file": task.source.file,
            "line": task.source.line,
        }
        for task in drawing.tasks
        if isinstance(task.action, PythonAction)
    ]
