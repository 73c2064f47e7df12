"""The task's own process: find the user's code, call it, hand its result to the supervisor.

Everything that user code can break is in this process and nothing else is. Imports nothing
that user code does not need itself before that code runs.
"""

import _signal
import _thread
import builtins
import posix
import sys
import time

from leoflow_agent import compactjson, exitcode
from leoflow_agent.exitcode import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from leoflow_agent.wire import Inputs, Workload

ENTERED, XCOM, FINISHED, PULL = b"E", b"X", b"F", b"P"


class Termination:
    """SIGTERM as an exception in the main thread, once, so that user code can clean up."""

    def __init__(self) -> None:
        self.heard = False
        self._due = False
        self._holds = 0
        self._pid = posix.getpid()
        self._main = _thread.get_ident()
        _signal.signal(_signal.SIGTERM, self._heed)

    def is_here(self) -> bool:
        """Tell whether this is the task's own process and not a fork of it."""
        return posix.getpid() == self._pid

    def hold(self) -> None:
        """Put the exception off until `release`, for what must be done whole; both may nest."""
        if _thread.get_ident() == self._main:
            self._holds += 1

    def release(self) -> None:
        """End a `hold`, and raise what was put off."""
        if _thread.get_ident() == self._main:
            self._holds -= 1
            self._raise()

    def check(self) -> None:
        """Raise TaskTerminated in a thread that no signal reaches, once the task has to stop."""
        if self.heard and _thread.get_ident() != self._main:
            self._due = True
            self._raise()

    def _heed(self, number: int, _: object) -> None:
        if not self.is_here():
            # A fork of user code's: it ends by the signal as any process does.
            _signal.signal(number, _signal.SIG_DFL)
            posix.kill(posix.getpid(), number)
        elif not self.heard:
            self.heard = self._due = True
            self._raise()

    def _raise(self) -> None:
        if self._due and not self._holds:
            self._due = False
            from leoflow.outcome import TaskTerminated

            raise TaskTerminated(exitcode.SIGNAL_BASE + _signal.SIGTERM)


class Messages:
    """The pipe to the supervisor: frames of a kind (1 byte), a length (4 bytes) and JSON."""

    def __init__(self, fd: int, termination: Termination) -> None:
        self._fd = fd
        self._termination = termination
        self._turn = _thread.allocate_lock()

    def send(self, kind: bytes, document: str) -> None:
        """Write one frame, whole; a fork of the task's process writes none."""
        if not self._termination.is_here():
            return
        body = document.encode()
        frame = kind + len(body).to_bytes(4, "big") + body
        self._termination.hold()
        try:
            with self._turn:
                while frame:
                    frame = frame[posix.write(self._fd, frame) :]
        finally:
            self._termination.release()


# The task of this process: its workload, the ways to the supervisor, and its end by SIGTERM.
current: "tuple[Workload, Messages, int, Termination] | None" = None


def is_task() -> bool:
    """Tell whether this is the process of a task, and not a fork of it."""
    return current is not None and current[3].is_here()


def begin(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    """Enter the child's half after the fork: in this interpreter, or in a fresh one."""
    posix.setsid()
    if not workload["fresh_interpreter"]:
        return run(workload, messages_fd, inputs_fd)
    for fd in (messages_fd, inputs_fd):
        posix.set_inheritable(fd, True)
    main = sys.modules["__main__"].__file__ or ""
    environment = dict(posix.environ)
    document = compactjson.dumps({**workload, "token": ""})
    environment[b"LEOFLOW_WORKLOAD"] = document.encode()
    command = [sys.executable, main, str(messages_fd), str(inputs_fd)]
    posix.execve(sys.executable, command, environment)
    return None


def resume(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    """Enter the child's half in a fresh interpreter, which was given the pipes by `begin`."""
    for fd in (messages_fd, inputs_fd):
        posix.set_inheritable(fd, False)
    return run(workload, messages_fd, inputs_fd)


def run(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    """Run the task, tell the supervisor how it ended, and return the exit code."""
    global current
    termination = Termination()
    messages = Messages(messages_fd, termination)
    current = workload, messages, inputs_fd, termination
    environment: dict[str, str] = {}
    left = None
    try:
        result = _perform(workload, messages, inputs_fd, environment)
        left = time.time()
        if result is not None:
            messages.send(XCOM, _xcom(result, workload))
        termination.hold()
        end: dict[str, Any] = {"state": "success", "reason": None, "exit_code": exitcode.SUCCESS}
    except BaseException as error:
        termination.hold()
        left = left or time.time()
        end = _end_of(error, environment)
    _wind_up(termination)
    messages.send(FINISHED, compactjson.dumps({**end, "left": left}))
    return end["exit_code"]  # type: ignore[no-any-return]


def _perform(
    workload: "Workload", messages: Messages, inputs_fd: int, environment: "dict[str, str]"
) -> object:
    job = workload["job"]
    inputs = workload["inputs"] or _read_inputs(inputs_fd)
    if inputs["environment"]:
        environment.update(inputs["environment"])
        _set_environment(environment)
    import_started = time.time()
    _prepare_interpreter()
    function = _load(job["module"], job["function"], workload) if job["module"] else None
    moments = {"import_started": import_started, "entered": time.time()}
    messages.send(ENTERED, compactjson.dumps(moments))
    if job["kind"] == "http_api":
        from leoflow_agent import http_task

        assert inputs["request"] is not None
        return http_task.send(inputs["request"])
    result = _call(function, inputs) if function else job["command"]
    if job["kind"] == "bash":
        _become_bash(result)
    return result


def _set_environment(variables: "dict[str, str]") -> None:
    """Set variables for this process and all that it starts, whether os is imported or not."""
    os = sys.modules.get("os")
    if os is not None:
        os.environ.update(variables)
        return
    for name, value in variables.items():
        pair = name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")
        posix.putenv(*pair)
        posix.environ[pair[0]] = pair[1]


def _end_of(error: BaseException, environment: "dict[str, str]") -> "dict[str, Any]":
    """Return what the end of the task by ``error`` means, without the secrets it was given."""
    if isinstance(error, Verdict):
        end: Any = {"state": "failed", "reason": error.reason, "exit_code": error.exit_code}
        sys.stderr.write("leoflow: " + error.reason + "\n")
    elif type(error) is SystemExit:
        end = _left_by_exit(error.code)
    else:
        from leoflow_agent import failure

        end = failure.judge(error)
    if environment and end["reason"] is not None:
        from leoflow_agent.mask import Mask

        end["reason"] = Mask(environment).text(end["reason"])
    return end  # type: ignore[no-any-return]


def _prepare_interpreter() -> None:
    """Give user code the interpreter that it would have without the agent's flags."""
    import leoflow  # noqa: F401 - from the agent's own folder, whatever the project shadows

    agent_folder = sys.path.pop()
    dag_folder = posix.environ[b"LEOFLOW_DAG_FOLDER"].decode()
    # Images of the user's own may have several, as Debian's Python does.
    site_folders = posix.environ.get(b"LEOFLOW_SITE_FOLDER", b"").decode().split(":")
    for folder in site_folders:
        if folder not in sys.path and folder:
            sys.path.append(folder)
    sys.path.insert(0, dag_folder)
    sys.path.append(agent_folder)
    posix.chdir(dag_folder)
    if posix.environ.get(b"LEOFLOW_SITE_HAS_PTH"):
        import site

        for folder in site_folders:
            site.addsitedir(folder)
    sys.argv[:] = [dag_folder + "/task"]
    sys.modules["__main__"] = type(sys)("__main__")
    if not hasattr(builtins, "exit"):
        builtins.exit = builtins.quit = _exit  # type: ignore[assignment]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _exit(code: object = None) -> "NoReturn":
    """The site module's exit(), which an interpreter without site lacks."""
    raise SystemExit(code)


def _load(module: str, function: "str | None", workload: "Workload") -> "Callable[..., Any]":
    task_id = workload["context"]["task_id"]
    try:
        namespace: Any = __import__(module, fromlist=["*"])
        if function is None:
            from leoflow.registry import function_of

            return function_of(task_id)
        found = getattr(namespace, function)
        return getattr(found, "function", found)  # type: ignore[no-any-return]
    except BaseException as error:
        from leoflow_agent import failure

        failure.show(error)
        reason = f"module '{module}' could not be imported: {failure.describe(error)}"
        raise Verdict(exitcode.IMPORT_FAILED, reason) from None


def _read_inputs(fd: int) -> "Inputs":
    return compactjson.loads(read_frame(fd).decode())  # type: ignore[return-value]


def read_frame(fd: int) -> bytes:
    """Read one document of the supervisor's: a length (4 bytes) and JSON."""
    return _read_exactly(fd, int.from_bytes(_read_exactly(fd, 4), "big"))


def _read_exactly(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = posix.read(fd, size - len(data))
        if not chunk:
            raise Verdict(exitcode.AGENT_FAILED, "the agent went away before it had answered")
        data += chunk
    return data


def _call(function: "Callable[..., Any]", inputs: "Inputs") -> object:
    kwargs = inputs["kwargs"]
    code = getattr(function, "__code__", None)
    # 8: CO_VARKEYWORDS, it takes any name.
    if (
        code is None
        or code.co_flags & 8
        or code.co_argcount + code.co_kwonlyargcount > len(inputs["args"])
    ):
        from leoflow_agent import context

        kwargs = {**context.injected(function, inputs, context.current), **kwargs}
    result = function(*inputs["args"], **kwargs)
    if hasattr(result, "__await__"):
        import asyncio

        result = asyncio.run(_awaited(result))
    return result


async def _awaited(result: "Any") -> object:
    return await result


def _become_bash(command: object) -> "NoReturn":
    if not isinstance(command, str):
        kind = type(command).__name__
        raise Verdict(
            exitcode.RESULT_INVALID,
            f"a bash task's function has to return the command as a str, it returned '{kind}'",
        )
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores SIGPIPE, and what is ignored stays ignored in the program that follows.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    import os

    try:
        os.execvp("bash", ["bash", "-c", command])
    except OSError as error:
        raise Verdict(
            exitcode.IMPORT_FAILED, f"bash cannot be started: {error.strerror}; is it in the image?"
        ) from None


def _xcom(value: object, workload: "Workload") -> str:
    task_id, limit = workload["context"]["task_id"], workload["xcom_limit_bytes"]
    try:
        document = compactjson.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        from leoflow_agent.jsonhint import first_not_json

        where = first_not_json(value)
        raise Verdict(
            exitcode.RESULT_INVALID,
            f"the return value of task '{task_id}' is not JSON: {where or error}; return numbers, "
            "strings, lists and dicts with str keys, or write a file and return its name",
        ) from None
    if len(document) > limit:
        raise Verdict(
            exitcode.RESULT_INVALID,
            f"the return value of task '{task_id}' is {len(document)} bytes of JSON, the limit is "
            f"{limit}; write it to a file or a store and return where it is",
        )
    return '{"key":"return_value","value":' + document + "}"


def _left_by_exit(code: object) -> "dict[str, Any]":
    if code is None or code == 0:
        return {"state": "success", "reason": None, "exit_code": exitcode.SUCCESS}
    said = exitcode.own(code) if isinstance(code, int) else exitcode.USER_FAILURE
    if not isinstance(code, int):
        sys.stderr.write(str(code) + "\n")
        code = str(code)
    return {
        "state": "failed",
        "reason": f"user code left with sys.exit({code!r})",
        "exit_code": said,
    }


def _wind_up(termination: Termination) -> None:
    """Do what the end of an interpreter owes to user code, without tearing the heap down."""
    try:
        termination.release()
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
    except BaseException as error:
        _say_late(error)
    try:
        import atexit

        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        _say_late(error)


def _say_late(error: BaseException) -> None:
    posix.write(2, f"leoflow: while the task's process ended: {error!r}\n".encode())
