"""The task's own process: find the user's code, call it, hand its result to the supervisor.

Everything that user code can break is in this process and nothing else is. Imports nothing
before that code runs but what every task needs; the kinds and ends that are rarer lie in modules
of their own.
"""

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

ENTERED, XCOM, FINISHED = b"E", b"X", b"F"


def send(messages_fd: int, kind: bytes, document: str) -> None:
    """Write one frame to the supervisor, whole: kind (1 byte), length (4 bytes), JSON."""
    body = document.encode()
    frame = kind + len(body).to_bytes(4, "big") + body
    while frame:
        frame = frame[posix.write(messages_fd, frame) :]


def begin(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    """Enter the child's half after the fork: in this interpreter, or in a fresh one."""
    posix.setsid()
    if workload["fresh_interpreter"]:
        from leoflow_agent import fresh

        fresh.replace(workload, messages_fd, inputs_fd)
    return run(workload, messages_fd, inputs_fd)


def run(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    """Run the task, tell the supervisor how it ended, and return the exit code."""
    left = None
    try:
        result = _perform(workload, messages_fd, inputs_fd)
        left = time.time()
        if result is not None:
            from leoflow_agent import xcom

            send(messages_fd, XCOM, xcom.returned(result, workload))
        state, reason, exit_code = "success", None, 0
    except BaseException as error:
        left = left or time.time()
        state, reason, exit_code = _ending(error)
    _wind_up()
    finished = {"state": state, "reason": reason, "exit_code": exit_code, "left": left}
    send(messages_fd, FINISHED, compactjson.dumps(finished))
    return exit_code


def _ending(error: BaseException) -> "tuple[str, str | None, int]":
    try:
        from leoflow_agent import ending

        return ending.of(error)
    except Exception:
        # User code may have left no descriptor and no memory to import that with.
        return "failed", f"{type(error).__name__}: {error}", 1


def _perform(workload: "Workload", messages_fd: int, inputs_fd: int) -> object:
    job = workload["job"]
    _prepare_interpreter()
    import_started = time.time()
    function = _load(job["module"], job["function"], workload) if job["module"] else None
    inputs = workload["inputs"] or _read_inputs(inputs_fd)
    moments = {"import_started": import_started, "entered": time.time()}
    send(messages_fd, ENTERED, compactjson.dumps(moments))
    if job["kind"] == "http_api":
        from leoflow_agent import http_task

        assert inputs["request"] is not None
        return http_task.send(inputs["request"])
    result = _call(function, inputs, workload) if function else job["command"]
    if job["kind"] == "bash":
        from leoflow_agent import bash_task

        bash_task.become(result, inputs["environment"])
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
    chunks: list[bytes] = []
    while True:
        chunk = posix.read(fd, 65536)
        if not chunk:
            return compactjson.loads(b"".join(chunks).decode())  # type: ignore[return-value]
        chunks.append(chunk)


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


def _wind_up() -> None:
    """Do what the end of an interpreter owes to user code, without tearing the heap down."""
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        atexit = sys.modules.get("atexit")
        if atexit is not None:
            atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        posix.write(2, f"leoflow: while the task's process ended: {error!r}\n".encode())
