"""What the reporter does when the control plane is away or refuses. Imported only then."""

import posix

from leoflow_agent.notice import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.reporter import Reporter

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 15.0
# A restart or a take-over is over within seconds, and is to be noticed within seconds: a pause is
# at most this long, or this part of the time for which the control plane has been away.
USUAL_PAUSE_SECONDS, PART_OF_ABSENCE = 2.0, 1 / 30
TRY_LATER = (408, 425, 429)


def step_back(reporter: "Reporter", reason: str, now: float) -> None:
    """Say why, once for each reason, and wait, longer each time and never as long as others."""
    if reason != reporter.said:
        say(f"the control plane is away: {reason}")
    reporter.said = reason
    if not reporter.pause:
        reporter.away_since = now
    longest = max(USUAL_PAUSE_SECONDS, (now - reporter.away_since) * PART_OF_ABSENCE)
    grown = max(reporter.pause * 2, FIRST_PAUSE_SECONDS)
    reporter.pause = min(grown, longest, LONGEST_PAUSE_SECONDS)
    jitter = 0.5 + posix.urandom(1)[0] / 255
    reporter.resume_at = now + reporter.pause * jitter


def heed(reporter: "Reporter", status: int, body: bytes, now: float) -> None:
    """Take in an answer that is not 200: believe a refusal, try later after anything else."""
    if not 400 <= status < 500 or status in TRY_LATER:
        step_back(reporter, f"it answered with {status}", now)
        return
    text = body[:300].decode("utf-8", "replace")
    if not (reporter.asking and reporter.inquiry and reporter.inquiry.decline(status, text)):
        reporter.refused = True
        reporter.terminate = f"the control plane refused this try ({status}): {text}"
        say(reporter.terminate)


def hurry(reporter: "Reporter", now: float) -> None:
    """Forget how long the control plane has been away, for there will not be much time."""
    reporter.pause = min(reporter.pause, FIRST_PAUSE_SECONDS)
    reporter.resume_at = min(reporter.resume_at, now)
