"""The task's own process: find the user's code, call it, hand its result to the supervisor.

Everything that user code can break is in this process and nothing else is. Imports nothing
before that code runs but what every task needs; the kinds and ends that are rarer lie in modules
of their own.
"""

import _signal
import _thread
import builtins
import posix
import sys
import time

from leoflow_agent import compactjson, lastword

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from leoflow_agent.wire import Inputs, Workload

ENTERED, XCOM, FINISHED, PULL = b"E", b"X", b"F", b"P"
EXIT_BY_SIGTERM = 128 + 15
# The type of a file, in the upper bits of st_mode.
PIPE = 1
# stdin, stdout, stderr, the pipes to and from the supervisor, and the folder that is listed.
DESCRIPTORS = 6


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
            from leoflow.outcome import TaskTerminated

            raise TaskTerminated(EXIT_BY_SIGTERM)

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

            raise TaskTerminated(EXIT_BY_SIGTERM)


class Messages:
    """The pipe to the supervisor, which every thread of the task's process may write to."""

    def __init__(self, fd: int, termination: Termination) -> None:
        self._fd = fd
        self._termination = termination
        self._turn = _thread.allocate_lock()

    def send(self, kind: bytes, document: str) -> None:
        """Write one frame, whole: kind (1 byte), length (4 bytes), JSON. A fork writes none.

        Raises OSError where user code has closed the pipe.
        """
        if not self._termination.is_here():
            return
        if posix.fstat(self._fd).st_mode >> 12 != PIPE:
            # What user code has opened in its place must not be written into.
            raise OSError(f"descriptor {self._fd}, which is the agent's, has been replaced")
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
# The variables that the try was given, which may hold secrets.
given = lastword.given


def begin(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    """Enter the child's half after the fork: in this interpreter, or in a fresh one."""
    posix.setsid()
    if workload["fresh_interpreter"]:
        from leoflow_agent import fresh

        fresh.replace(workload, messages_fd, inputs_fd)
    return run(workload, messages_fd, inputs_fd)


def run(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    """Run the task, tell the supervisor how it ended, and return the exit code."""
    try:
        return _run(workload, messages_fd, inputs_fd)
    except BaseException as error:
        return lastword.lose(error)


def _run(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    global current
    termination = Termination()
    messages = Messages(messages_fd, termination)
    current = workload, messages, inputs_fd, termination
    left = None
    try:
        result = _perform(workload, messages, inputs_fd)
        left = time.time()
        if result is not None:
            from leoflow_agent import xcom

            messages.send(XCOM, xcom.returned(result, workload))
        termination.hold()
        end: Any = {"state": "success", "reason": None, "exit_code": 0}
    except BaseException as error:
        termination.hold()
        left = left or time.time()
        end = _end_of(error)
    _wind_up(termination)
    end["left"] = left
    if not termination.is_here():
        lastword.say("a copy of the task's process, made by fork, came back: it is not heard")
    messages.send(FINISHED, compactjson.dumps(end))
    return end["exit_code"]  # type: ignore[no-any-return]


def _end_of(error: BaseException) -> "dict[str, Any]":
    try:
        from leoflow_agent import ending

        return ending.of(error)
    except BaseException as another:
        # No descriptor may be left with which a module could be read, or builtins be gone.
        return lastword.of(error, another)


def _perform(workload: "Workload", messages: Messages, inputs_fd: int) -> object:
    job = workload["job"]
    inputs = workload["inputs"]
    if inputs is None:
        inputs = _read_inputs(inputs_fd)
    if inputs["environment"]:
        from leoflow_agent import variable

        given.update(inputs["environment"])
        variable.put(given)
    _prepare_interpreter()
    import_started = time.time()
    function = _load(job["module"], job["function"], workload) if job["module"] else None
    moments = {"import_started": import_started, "entered": time.time()}
    messages.send(ENTERED, compactjson.dumps(moments))
    if job["kind"] == "http_api":
        from leoflow_agent import http_task

        return http_task.send(inputs, workload)
    result = _call(function, inputs) if function else job["command"]
    if job["kind"] == "bash":
        from leoflow_agent import bash_task

        bash_task.become(result)
    return result


def _prepare_interpreter() -> None:
    """Give user code the interpreter that it would have without the agent's flags."""
    import leoflow  # noqa: F401 - from the agent's own folder, whatever the project shadows

    agent_folder: str = sys.modules["__main__"].AGENT_FOLDER
    sys.path.remove(agent_folder)
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
    try:
        namespace: Any = __import__(module, fromlist=["*"])
        if function is None:
            from leoflow.registry import function_of

            return function_of(workload["context"]["task_id"])
        found = getattr(namespace, function)
        return getattr(found, "function", found)  # type: ignore[no-any-return]
    except BaseException as error:
        from leoflow_agent import ending

        raise ending.import_failed(module, error) from None


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
            from leoflow_agent import exitcode

            raise exitcode.Verdict(
                exitcode.AGENT_FAILED, "the agent went away before it had answered"
            )
        data += chunk
    return data


def _call(function: "Callable[..., Any]", inputs: "Inputs") -> object:
    kwargs = inputs["kwargs"]
    code = getattr(function, "__code__", None)
    # 8 is CO_VARKEYWORDS: it takes any name.
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
        atexit = sys.modules.get("atexit")
        if atexit is not None:
            atexit._run_exitfuncs()
        if _has_files():
            from leoflow_agent import unflushed

            unflushed.flush()
    except BaseException as error:
        _say_late(error)
    for stream in (sys.__stdout__, sys.__stderr__, sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException as error:
            _say_late(error)


def _has_files() -> bool:
    try:
        return len(posix.listdir("/proc/self/fd")) > DESCRIPTORS
    except OSError:
        return True


def _say_late(error: BaseException) -> None:
    lastword.say(f"while the task's process ended: {lastword.plain(error)}")
