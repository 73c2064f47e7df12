"""What the supervisor writes to the task's process: answers of the control plane, in frames.

Imported only for a try whose inputs have to be asked for.
"""

import posix

from leoflow_agent import compactjson, exitcode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.wire import Inputs


def read_inputs(fd: int) -> "Inputs":
    """Wait for the inputs of the try; Verdict if the agent is gone."""
    return compactjson.loads(read_frame(fd).decode())  # type: ignore[return-value]


def read_frame(fd: int) -> bytes:
    """Read one document: a length (4 bytes) and JSON."""
    return _read_exactly(fd, int.from_bytes(_read_exactly(fd, 4), "big"))


def _read_exactly(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = posix.read(fd, size - len(data))
        if not chunk:
            raise exitcode.Verdict(
                exitcode.AGENT_FAILED, "the agent went away before it had answered"
            )
        data += chunk
    return data
