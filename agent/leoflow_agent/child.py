"""The task's own process: find the user's code, call it, hand its result to the supervisor.

Everything that user code can break is in this process and nothing else is. Imports nothing
that user code does not need itself before that code runs.
"""

import _signal
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
# The type of a file in the upper bits of st_mode.
PIPE = 1
LONGEST_REASON = 1000
# stdin, stdout, stderr, the pipes to and from the agent, and the folder that is being listed.
DESCRIPTORS = 6


class Messages:
    """The pipe to the supervisor: frames of a kind (1 byte), a length (4 bytes) and JSON."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pid = posix.getpid()

    def are_ours(self) -> bool:
        """Say whether this is the task's process, and no copy that user code has forked."""
        return posix.getpid() == self._pid

    def send(self, kind: bytes, document: str) -> None:
        """Write one frame, whole; OSError if user code has closed the pipe."""
        if posix.fstat(self._fd).st_mode >> 12 != PIPE:
            # What user code has opened since then must not be written into.
            raise OSError(f"descriptor {self._fd}, which is the agent's, has been replaced")
        body = document.encode()
        frame = kind + len(body).to_bytes(4, "big") + body
        while frame:
            frame = frame[posix.write(self._fd, frame) :]


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
    messages = Messages(messages_fd)
    try:
        return _run(workload, messages, inputs_fd)
    except BaseException as error:
        _say(f"how the task ended cannot be told: {_plain(error)}")
        return exitcode.RESULT_LOST


def _run(workload: "Workload", messages: Messages, inputs_fd: int) -> int:
    left = None
    try:
        result = _perform(workload, messages, inputs_fd)
        left = time.time()
        if result is not None and messages.are_ours():
            messages.send(XCOM, _xcom(result, workload))
        state, reason, exit_code = "success", None, exitcode.SUCCESS
    except Verdict as verdict:
        state, reason, exit_code = "failed", verdict.reason, verdict.exit_code
        _say(reason)
    except SystemExit as leave:
        state, reason, exit_code = _left_by_exit(leave.code)
    except BaseException as error:
        state, reason, exit_code = "failed", _describe(error), exitcode.USER_FAILURE
    left = left or time.time()
    _wind_up()
    if messages.are_ours():
        finished = {"state": state, "reason": reason, "exit_code": exit_code, "left": left}
        messages.send(FINISHED, compactjson.dumps(finished))
    else:
        _say("a copy of the task's process, made by fork, came back from the task: it is ignored")
    return exit_code


def _perform(workload: "Workload", messages: Messages, inputs_fd: int) -> object:
    job = workload["job"]
    import_started = time.time()
    _prepare_interpreter()
    function = _load(job["module"], job["function"], workload) if job["module"] else None
    inputs = workload["inputs"] or _read_inputs(inputs_fd)
    moments = {"import_started": import_started, "entered": time.time()}
    messages.send(ENTERED, compactjson.dumps(moments))
    if job["kind"] == "http_api":
        from leoflow_agent import http_task

        assert inputs["request"] is not None
        return http_task.send(inputs["request"])
    result = _call(function, inputs, workload) if function else job["command"]
    if job["kind"] == "bash":
        _become_bash(result, inputs["environment"])
    return result


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
        reason = f"module '{module}' could not be imported: {_describe(error)}"
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


def _call(function: "Callable[..., Any]", inputs: "Inputs", workload: "Workload") -> object:
    kwargs = inputs["kwargs"]
    code = getattr(function, "__code__", None)
    if code is not None and code.co_argcount + code.co_kwonlyargcount > len(inputs["args"]):
        from leoflow_agent import context

        kwargs = {**context.injected(function, inputs, workload["context"]), **kwargs}
    result = function(*inputs["args"], **kwargs)
    if hasattr(result, "__await__"):
        import asyncio

        result = asyncio.run(_awaited(result))
    return result


async def _awaited(result: "Any") -> object:
    return await result


def _become_bash(command: object, variables: "dict[str, str]") -> "NoReturn":
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

    os.environ.update(variables)
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
        from leoflow_agent import failure

        where = failure.first_not_json(value)
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


def _left_by_exit(code: object) -> "tuple[str, str | None, int]":
    if code is None or (isinstance(code, int) and code == 0):
        return "success", None, exitcode.SUCCESS
    if isinstance(code, int):
        return "failed", f"user code left with sys.exit({_text(code)})", exitcode.own(int(code))
    text = _text(code)
    posix.write(2, text.encode("utf-8", "backslashreplace") + b"\n")
    reason = f"user code left with sys.exit({text[:LONGEST_REASON]!r})"
    return "failed", reason, exitcode.USER_FAILURE


def _describe(error: BaseException) -> str:
    """Print the traceback, and return the error in one line, whatever user code has broken."""
    try:
        from leoflow_agent import failure

        reason = failure.describe(error)
        failure.show(error)
    except BaseException as another:
        # There may be no descriptor left with which a module could be read.
        reason = _plain(error)
        _say(f"{reason} (its traceback cannot be shown: {_plain(another)})")
    return reason


def _plain(error: BaseException) -> str:
    return f"{type(error).__name__}: {_text(error)[:LONGEST_REASON]}"


def _text(value: object) -> str:
    try:
        return str(value)
    except BaseException as error:
        return f"(its text cannot be had: {type(error).__name__})"


def _say(text: str) -> None:
    try:
        posix.write(2, f"leoflow: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def _has_files() -> bool:
    try:
        return len(posix.listdir("/proc/self/fd")) > DESCRIPTORS
    except OSError:
        return True


def _wind_up() -> None:
    """Do what the end of an interpreter owes to user code, without tearing the heap down."""
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        import atexit

        atexit._run_exitfuncs()
        if _has_files():
            from leoflow_agent import unflushed

            unflushed.flush()
    except BaseException as error:
        _say(f"while the task's process ended: {_plain(error)}")
    for stream in (sys.__stdout__, sys.__stderr__, sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException as error:
            _say(f"what was printed last is lost: {_plain(error)}")
