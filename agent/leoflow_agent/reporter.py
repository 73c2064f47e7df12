"""When to talk to the control plane: what to send next, how long to wait, when to give up.

Knows nothing of the task's process. A control plane that is away is waited for; one that
refuses is believed.
"""

import posix

from leoflow_agent import compactjson
from leoflow_agent.channel import Channel, ChannelError
from leoflow_agent.outbox import Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow_agent.wire import Acknowledgement, Workload

EVENTS_PATH, INPUTS_PATH = "/agent/v1/events", "/agent/v1/inputs"
XCOM_PATH = "/agent/v1/xcom"
PROTOCOL = 1
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 15.0
PATIENCE_SECONDS = 600.0
REFUSED = (400, 401, 403, 404, 409, 413, 426)


class Reporter:
    """Brings the outbox to the control plane. All instants are of the monotonic clock."""

    def __init__(self, workload: "Workload", outbox: Outbox) -> None:
        self.channel = Channel(workload["endpoint"], workload["token"])
        self.answers: list[bytes] = []
        self.terminate: str | None = None
        self.refused = False
        self._outbox = outbox
        self._nonce = posix.urandom(16).hex()
        self._questions = [(INPUTS_PATH, 0)] if workload["inputs"] is None else []
        self._asking = False
        self._heartbeat_seconds = workload["heartbeat_seconds"]
        self._heartbeat_at = 0.0
        self._pause = 0.0
        self._resume_at = 0.0

    def pull(self, wanted: "dict[str, Any]") -> None:
        """Ask for an XCom on behalf of the task; the answer will be in ``answers``, in order.

        What the task pushed before is reported first, for it may be what is asked for.
        """
        query = "&".join(f"{name}={_quote(str(value))}" for name, value in wanted.items())
        self._questions.append((f"{XCOM_PATH}?{query}", self._outbox.last))

    def pump(self, now: float) -> None:
        """Begin the next request if there is one and it is time for it."""
        try:
            self.channel.check_deadline()
            if not self.channel.busy and not self.refused and now >= self._resume_at:
                self._begin(now)
        except ChannelError as error:
            self._step_back(str(error), now)

    def advance(self, now: float) -> None:
        """Move the request under way on, and take in its answer."""
        try:
            answer = self.channel.advance()
        except ChannelError as error:
            self._step_back(str(error), now)
            return
        if answer is not None:
            self._take(*answer, now)

    def seconds_to_wait(self, now: float) -> float:
        """Return how long the poll loop may sleep for all that this side cares."""
        if self.channel.busy or self.refused:
            return 1.0
        if self._outbox or self._questions:
            return max(self._resume_at - now, 0.0)
        return max(self._heartbeat_at - now, 0.0)

    def _begin(self, now: float) -> None:
        self._asking = bool(self._questions) and not self._outbox.holds(self._questions[0][1])
        if self._asking:
            self.channel.request("GET", self._questions[0][0])
            return
        if not self._outbox:
            if self._heartbeat_at and now < self._heartbeat_at:
                return
            self._outbox.add("heartbeat")
        events = self._outbox.batch()
        body = f'{{"protocol":{PROTOCOL},"nonce":"{self._nonce}","events":{events}}}'
        self._heartbeat_at = now + self._heartbeat_seconds
        self.channel.request("POST", EVENTS_PATH, body)

    def _take(self, status: int, body: bytes, now: float) -> None:
        if status in REFUSED:
            self.refused = True
            self.terminate = f"the control plane refused this try ({status}): "
            self.terminate += body[:300].decode("utf-8", "replace")
            return
        try:
            if status != 200:
                raise ValueError(f"it answered with {status}")
            if self._asking:
                self.answers.append(body)
                del self._questions[0]
            else:
                self._acknowledge(compactjson.loads(body.decode()))  # type: ignore[arg-type]
            self._pause = 0.0
        except (ValueError, KeyError, TypeError) as error:
            self._step_back(f"the answer is not understood: {error}", now)

    def _acknowledge(self, answer: "Acknowledgement") -> None:
        self._outbox.acknowledge(answer["ack"])
        self._heartbeat_seconds = max(float(answer["heartbeat_seconds"]), 0.1)
        self.terminate = answer["terminate"]

    def _step_back(self, reason: str, now: float) -> None:
        if self._pause == 0.0:
            posix.write(2, f"leoflow agent: the control plane is away: {reason}\n".encode())
        self._pause = min(max(self._pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        jitter = 0.5 + posix.urandom(1)[0] / 255
        self._resume_at = now + self._pause * jitter


def _quote(text: str) -> str:
    return "".join(
        chr(byte) if byte < 128 and chr(byte).isalnum() else f"%{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )
