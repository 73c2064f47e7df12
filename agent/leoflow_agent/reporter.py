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

    from leoflow_agent.inquiry import Inquiry
    from leoflow_agent.wire import Workload

EVENTS_PATH = "/agent/v1/events"
PROTOCOL = 1
SHORTEST_HEARTBEAT_SECONDS, LONGEST_HEARTBEAT_SECONDS = 0.1, 3600.0
MAX_ACKNOWLEDGEMENT_BYTES = 64 * 1024


class Reporter:
    """Brings the outbox to the control plane, and brings back what the task asks for.

    All instants are of the monotonic clock. ``pause``, ``resume_at``, ``away_since`` and
    ``said`` are for ``setback``; ``inquiry`` is None until the task asks for something.
    """

    def __init__(self, workload: "Workload", outbox: Outbox) -> None:
        self.channel = Channel(workload["endpoint"], workload["token"], workload.get("ca"))
        self.inquiry: Inquiry | None = None
        self.asking = False
        self.terminate: str | None = None
        self.refused = False
        self.pause = self.resume_at = self.away_since = 0.0
        self.said = ""
        self._outbox = outbox
        self._nonce = posix.urandom(16).hex()
        self._heartbeat_seconds = workload["heartbeat_seconds"]
        self._heartbeat_at = self._answered_at = 0.0

    def pump(self, now: float) -> None:
        """Begin the next request if there is one and it is time for it."""
        try:
            self.channel.check_deadline(now)
            if not self.channel.busy and not self.refused and now >= self.resume_at:
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

    def is_answered(self, now: float, seconds: float) -> bool:
        """Tell whether the control plane is there: what it was sent was taken not long ago."""
        return not self.pause and now < self._answered_at + seconds

    def seconds_to_wait(self, now: float) -> float:
        """Return how long the poll loop may sleep for all that this side cares."""
        if self.channel.busy:
            return max(self.channel.deadline - now, 0.0)
        if self.refused:
            return LONGEST_HEARTBEAT_SECONDS
        due = self.resume_at if self._outbox or self.inquiry else self._heartbeat_at
        return max(due - now, 0.0)

    def _begin(self, now: float) -> None:
        path = self.inquiry.path() if self.inquiry else None
        self.asking = path is not None
        if path is not None:
            self.channel.request("GET", path, now)
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
        if status != 200:
            from leoflow_agent import setback

            setback.heed(self, status, body, now)
            return
        try:
            if self.asking and self.inquiry:
                self.inquiry.take(body)
            else:
                self._acknowledge(body)
        # OverflowError: a number without end. RecursionError: brackets without end.
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            self._step_back(f"the answer is not understood: {error}", now)
            return
        self.pause, self.said = 0.0, ""
        self._answered_at = now

    def _acknowledge(self, body: bytes) -> None:
        if len(body) > MAX_ACKNOWLEDGEMENT_BYTES:
            raise ValueError(f"it has {len(body)} bytes")
        answer: Any = compactjson.loads(body.decode())
        ack, terminate, seconds = answer["ack"], answer["terminate"], answer["heartbeat_seconds"]
        if type(ack) is not int or not isinstance(terminate, (str, type(None))):
            raise TypeError("a field is of another type")
        token = answer.get("token", self.channel.token)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise TypeError("the token fits into no header")
        if not float(seconds) > 0:  # as NaN is not
            raise ValueError(f"heartbeat_seconds is {seconds}")
        self._outbox.acknowledge(ack)
        shortest = max(float(seconds), SHORTEST_HEARTBEAT_SECONDS)
        self._heartbeat_seconds = min(shortest, LONGEST_HEARTBEAT_SECONDS)
        self.terminate = terminate
        self.channel.token = token

    def _step_back(self, reason: str, now: float) -> None:
        from leoflow_agent import setback

        setback.step_back(self, reason, now)
