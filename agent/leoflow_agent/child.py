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

from leoflow_agent import compactjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from leoflow_agent.wire import Inputs, Workload

ENTERED, XCOM, FINISHED, PULL = b"E", b"X", b"F", b"P"
# As in exitcode, which may not be loaded.
USER_FAILURE, RESULT_LOST = 1, 123
# The type of a file, in the upper bits of st_mode.
PIPE = 1
# stdin, stdout, stderr, the pipes to and from the supervisor, and the folder that is listed.
DESCRIPTORS = 6
# Of the pipe from the supervisor where nothing else was handed down to the container's start. They
# are given out from below, so each that was makes it one more. (One above it costs time alone.)
USUAL_INPUTS_FD = 9


class Messages:
    """The pipe to the supervisor, which every thread of the task's process may write to.

    What it notes of SIGTERM is for ``termination``, which is imported when one comes: while
    ``holds`` is not 0 the main thread does something that must be done whole.
    """

    def __init__(self, fd: int, handed_down: int) -> None:
        self.handed_down = handed_down
        self._fd = fd
        self._turn = _thread.allocate_lock()
        self.main_thread = _thread.get_ident()
        self.pid = posix.getpid()
        self.holds = 0
        self.heard = self.due = False
        _signal.signal(_signal.SIGTERM, self._heed)

    def send(self, *documents: "tuple[bytes, str]") -> None:
        """Write one frame for each, all whole: kind (1 byte), length (4 bytes), JSON.

        What is sent at once is reported at once. A fork writes nothing. Raises OSError where user
        code has closed the pipe.
        """
        if posix.getpid() != self.pid:
            return
        if posix.fstat(self._fd).st_mode >> 12 != PIPE:
            # What user code has opened in its place must not be written into.
            raise OSError(f"descriptor {self._fd}, which is the agent's, has been replaced")
        frames = b""
        for kind, document in documents:
            body = document.encode()
            frames += kind + len(body).to_bytes(4, "big") + body
        is_main = _thread.get_ident() == self.main_thread
        if is_main:
            self.holds += 1
        with self._turn:
            while frames:
                frames = frames[posix.write(self._fd, frames) :]
        if is_main:
            self.settle()

    def settle(self) -> None:
        """End one hold of the main thread, and raise what was put off."""
        self.holds -= 1
        if self.due:
            from leoflow_agent import termination

            termination.raise_due(self)

    def _heed(self, number: int, _: object) -> None:
        from leoflow_agent import termination

        termination.heed(self, number)


# The task of this process: its workload, and the ways to the supervisor and back.
current = None  # type: tuple[Workload, Messages, int] | None
# The variables that the try was given, which may hold secrets.
given = {}  # type: dict[str, str]


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
        _say(f"how the task ended cannot be told: {_plain(error)}")
        return RESULT_LOST


def _run(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    global current
    # It is the supervisor's; what is asked for in here goes through that.
    workload["token"] = ""
    messages = Messages(messages_fd, inputs_fd - USUAL_INPUTS_FD)
    current = workload, messages, inputs_fd
    left, leaves = None, []
    try:
        result = _perform(workload, messages, inputs_fd)
        left = time.time()
        if result is not None:
            leaves.append((XCOM, _returned(result, workload)))
        messages.holds += 1
        end: Any = {"state": "success", "reason": None, "exit_code": 0}
    except BaseException as error:
        messages.holds += 1
        left = left or time.time()
        end = _ending(error)
    _wind_up(messages)
    end["left"] = left
    if posix.getpid() != messages.pid:
        _say("a copy of the task's process, made by fork, came back: it is not heard")
    messages.send(*leaves, (FINISHED, compactjson.dumps(end)))
    return end["exit_code"]  # type: ignore[no-any-return]


def _returned(value: object, workload: "Workload") -> str:
    try:
        document = compactjson.dumps(value)
        if len(document) <= workload["xcom_limit_bytes"]:
            return '{"key":"return_value","value":' + document + "}"
    except (TypeError, ValueError, RecursionError):
        pass
    from leoflow_agent import refusal

    raise refusal.of_returned(value, workload)


def _ending(error: BaseException) -> "dict[str, Any]":
    try:
        from leoflow_agent import ending

        return ending.of(error)
    except BaseException as another:
        # No descriptor may be left with which a module could be read, or builtins be gone.
        reason = _plain(error)
        _say(f"{reason} (its traceback cannot be shown: {_plain(another)})")
        return {"state": "failed", "reason": reason, "exit_code": USER_FAILURE}


def _plain(error: BaseException) -> str:
    """Return an error in a few words, with what is loaded and with no trust in it."""
    name = type(error).__name__
    try:
        # What hides secrets cannot be loaded: nothing is shown that may hold one.
        return name + (f": {error}"[:1000] if not given else ", of a try that was given secrets")
    except BaseException:
        return name + ", whose message cannot be shown"


def _say(text: str) -> None:
    try:
        posix.write(2, f"leoflow: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def _perform(workload: "Workload", messages: Messages, inputs_fd: int) -> object:
    job = workload["job"]
    inputs = workload["inputs"]
    if inputs is None:
        from leoflow_agent import answer

        inputs = answer.read_inputs(inputs_fd)
    if inputs["environment"]:
        from leoflow_agent import variable

        variable.put(inputs["environment"])
    _prepare_interpreter()
    import_started = time.time()
    function = _load(job["module"], job["function"], workload) if job["module"] else None
    moments = {"import_started": import_started, "entered": time.time()}
    messages.send((ENTERED, compactjson.dumps(moments)))
    if job["kind"] == "http_api":
        from leoflow_agent.http import task

        return task.send(inputs, workload)
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


def _call(function: "Callable[..., Any]", inputs: "Inputs") -> object:
    kwargs = inputs["kwargs"]
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    # 8 is CO_VARKEYWORDS: it takes any name.
    if code is not None and (
        code.co_flags & 8 or code.co_argcount + code.co_kwonlyargcount > len(inputs["args"])
    ):
        from leoflow_agent import context

        kwargs = {**context.injected(function, inputs, context.current), **kwargs}
    result = function(*inputs["args"], **kwargs)
    if hasattr(result, "__await__"):
        from leoflow_agent import coroutine

        result = coroutine.run(result)
    return result


def _wind_up(messages: Messages) -> None:
    """Do what the end of an interpreter owes to user code, without tearing the heap down."""
    for step in (_join_threads, _run_exit_functions, _flush_files, _flush_streams):
        try:
            step(messages)
        except BaseException as error:
            _say(f"while the task's process ended: {_plain(error)}")


def _join_threads(messages: Messages) -> None:
    messages.settle()
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()


def _run_exit_functions(_: Messages) -> None:
    if "atexit" in sys.modules:
        sys.modules["atexit"]._run_exitfuncs()


def _flush_files(messages: Messages) -> None:
    try:
        # A tool that looks at the process has its own far above.
        low = [name for name in posix.listdir("/proc/self/fd") if len(name) < 4]
        has_files = len(low) > DESCRIPTORS + messages.handed_down
    except OSError:
        has_files = True
    if has_files:
        from leoflow_agent import unflushed

        unflushed.flush()


def _flush_streams(_: Messages) -> None:
    for stream in (sys.__stdout__, sys.__stderr__, sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException as error:
            _say(f"what was printed last is lost: {_plain(error)}")
