"""The task's process in an interpreter of its own, which obeys the PYTHON* variables of the DAG.

Imported only for DAGs that declare such variables: they pay for a second start.
"""

import posix
import sys

from leoflow_agent import child, compactjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from leoflow_agent.wire import Workload


def replace(workload: "Workload", messages_fd: int, inputs_fd: int) -> "NoReturn":
    """Start the interpreter anew in place of this process; it goes on with `resume`."""
    for fd in (messages_fd, inputs_fd):
        posix.set_inheritable(fd, True)
    main = sys.modules["__main__"].__file__ or ""
    environment = dict(posix.environ)
    document = compactjson.dumps({**workload, "token": ""})
    environment[b"LEOFLOW_WORKLOAD"] = document.encode()
    command = [sys.executable, main, str(messages_fd), str(inputs_fd)]
    posix.execve(sys.executable, command, environment)


def resume(workload: "Workload", messages_fd: int, inputs_fd: int) -> int:
    """Run the task in the fresh interpreter, which was given the pipes by `replace`."""
    for fd in (messages_fd, inputs_fd):
        posix.set_inheritable(fd, False)
    return child.run(workload, messages_fd, inputs_fd)
