"""When to talk to the control plane: what to send next, how long to wait, when to give up.

Knows nothing of the task's process. A control plane that is away is waited for; one that
refuses is believed.
"""

import posix

from leoflow_agent import compactjson
from leoflow_agent.channel import Channel, ChannelError
from leoflow_agent.outbox import Outbox
from leoflow_agent.stream import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow_agent.wire import Workload

EVENTS_PATH, INPUTS_PATH = "/agent/v1/events", "/agent/v1/inputs"
XCOM_PATH = "/agent/v1/xcom"
PROTOCOL = 1
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 15.0
SHORTEST_HEARTBEAT_SECONDS, LONGEST_HEARTBEAT_SECONDS = 0.1, 3600.0
MAX_ACKNOWLEDGEMENT_BYTES = 64 * 1024
TRY_LATER = (408, 425, 429)
TRY_IS_OVER = (401, 409, 426)


class Reporter:
    """Brings the outbox to the control plane. All instants are of the monotonic clock."""

    def __init__(self, workload: "Workload", outbox: Outbox) -> None:
        self.channel = Channel(workload["endpoint"], workload["token"], workload.get("ca"))
        self.answers: list[bytes] = []
        self.terminate: str | None = None
        self.refused = False
        self.answered_at = 0.0
        self._outbox = outbox
        self._nonce = posix.urandom(16).hex()
        self._questions = [(INPUTS_PATH, 0)] if workload["inputs"] is None else []
        self._asking = False
        self._heartbeat_seconds = workload["heartbeat_seconds"]
        self._heartbeat_at = 0.0
        self._pause = 0.0
        self._resume_at = 0.0
        self._said = ""

    def pull(self, wanted: "dict[str, Any]") -> None:
        """Ask for an XCom on behalf of the task; the answer will be in ``answers``, in order.

        What the task pushed before is reported first, for it may be what is asked for.
        """
        query = "&".join(f"{name}={_quote(str(value))}" for name, value in wanted.items())
        self._questions.append((f"{XCOM_PATH}?{query}", self._outbox.last))

    def pump(self, now: float) -> None:
        """Begin the next request if there is one and it is time for it."""
        try:
            self.channel.check_deadline(now)
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

    def hurry(self, now: float) -> None:
        """Forget how long the control plane has been away, for there will not be much time."""
        self._pause = min(self._pause, FIRST_PAUSE_SECONDS)
        self._resume_at = min(self._resume_at, now)

    def is_answered(self, now: float, seconds: float) -> bool:
        """Tell whether the control plane is there: what it was sent was taken not long ago."""
        return not self._pause and now < self.answered_at + seconds

    def seconds_to_wait(self, now: float) -> float:
        """Return how long the poll loop may sleep for all that this side cares."""
        if self.channel.busy:
            return max(self.channel.deadline - now, 0.0)
        if self.refused:
            return LONGEST_HEARTBEAT_SECONDS
        due = self._resume_at if self._outbox or self._questions else self._heartbeat_at
        return max(due - now, 0.0)

    def _begin(self, now: float) -> None:
        self._asking = bool(self._questions) and not self._outbox.holds(self._questions[0][1])
        if self._asking:
            self.channel.request("GET", self._questions[0][0], now)
            return
        if not self._outbox:
            if self._heartbeat_at and now < self._heartbeat_at:
                return
            self._outbox.add("heartbeat")
        events = self._outbox.batch()
        body = f'{{"protocol":{PROTOCOL},"nonce":"{self._nonce}","events":{events}}}'
        self._heartbeat_at = now + self._heartbeat_seconds
        self.channel.request("POST", EVENTS_PATH, now, body)

    def _take(self, status: int, body: bytes, now: float) -> None:
        if 400 <= status < 500 and status not in TRY_LATER:
            self._believe(status, body[:300].decode("utf-8", "replace"))
            return
        if status != 200:
            self._step_back(f"it answered with {status}", now)
            return
        try:
            if self._asking:
                self._take_answer(body)
            else:
                self._acknowledge(body)
        # OverflowError: a number without end. RecursionError: brackets without end.
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            self._step_back(f"the answer is not understood: {error}", now)
            return
        self._pause, self._said = 0.0, ""
        self.answered_at = now

    def _believe(self, status: int, text: str) -> None:
        if self._asking and status not in TRY_IS_OVER and self._questions[0][0] != INPUTS_PATH:
            said = compactjson.quote(f"the control plane answered with {status}: {text}")
            self._take_answer(f'{{"error":{said}}}'.encode())
            return
        self.refused = True
        self.terminate = f"the control plane refused this try ({status}): {text}"

    def _take_answer(self, body: bytes) -> None:
        if body[:1] != b"{":
            raise ValueError("it is no JSON object")
        self.answers.append(body)
        del self._questions[0]

    def _acknowledge(self, body: bytes) -> None:
        if len(body) > MAX_ACKNOWLEDGEMENT_BYTES:
            raise ValueError(f"it has {len(body)} bytes")
        answer: Any = compactjson.loads(body.decode())
        ack, terminate, seconds = answer["ack"], answer["terminate"], answer["heartbeat_seconds"]
        if type(ack) is not int or not isinstance(terminate, (str, type(None))):
            raise TypeError("a field is of another type")
        if not float(seconds) > 0:  # as NaN is not
            raise ValueError(f"heartbeat_seconds is {seconds}")
        self._outbox.acknowledge(ack)
        shortest = max(float(seconds), SHORTEST_HEARTBEAT_SECONDS)
        self._heartbeat_seconds = min(shortest, LONGEST_HEARTBEAT_SECONDS)
        self.terminate = terminate

    def _step_back(self, reason: str, now: float) -> None:
        if reason != self._said:
            say(f"the control plane is away: {reason}")
        self._said = reason
        self._pause = min(max(self._pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        jitter = 0.5 + posix.urandom(1)[0] / 255
        self._resume_at = now + self._pause * jitter


def _quote(text: str) -> str:
    return "".join(
        chr(byte) if byte < 128 and chr(byte).isalnum() else f"%{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )
