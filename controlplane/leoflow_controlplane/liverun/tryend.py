"""What the end of a try makes of its task instance: another try, by whose budget, or the end."""

from __future__ import annotations

from leoflow_controlplane.liverun.branching import Branching
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.ledger import Ledger
from leoflow_controlplane.liverun.retry import Retries, machinery_delay_seconds, retry_delay_seconds
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.verdict import Verdict


class TryEnds:
    """Ends the tries of one run; what is to be tried again is put among ``retries``.

    ``machinery_retries``: how many tries of an instance are made up for that were lost by no fault
    of its task's.
    """

    def __init__(
        self,
        key: RunKey,
        ledger: Ledger,
        branching: Branching,
        retries: Retries,
        machinery_retries: int,
    ) -> None:
        self._key = key
        self._ledger = ledger
        self._branching = branching
        self._retries = retries
        self._machinery_retries = machinery_retries

    def weigh(self, instance: Instance, verdict: Verdict) -> Verdict:
        """Give the verdict that ``end`` takes for this one: once the budget for what is the
        machinery's fault is used up, it is a failure as any other."""
        if not verdict.machinery or instance.machinery_tries < self._machinery_retries:
            return verdict
        reason, spent = verdict.reason, instance.machinery_tries
        if spent:
            reason = f"{reason}; {_describe_spent(spent)}"
        return Verdict("failed", reason, verdict.retryable)

    def end(self, instance: Instance, verdict: Verdict, now: float) -> None:
        """Bring an instance whose try is open where the verdict leaves it."""
        position = self._ledger.plan.position[instance.task_id]
        task = self._ledger.plan.tasks[position]
        verdict = self.weigh(instance, verdict)
        if task.branch is not None:
            verdict = self._branching.heed(position, instance, verdict)
        if verdict.machinery:
            self._make_up_for(instance, verdict, now)
        elif verdict.state == "failed" and _has_left(instance, verdict):
            due_at = now + retry_delay_seconds(task, self._key, instance)
            self._ledger.move(
                instance, "up_for_retry", verdict.reason, due_at=due_at, finished_at=now
            )
            self._retries.add(instance)
        else:
            self._ledger.move(instance, verdict.state, verdict.reason, finished_at=now)

    def _make_up_for(self, instance: Instance, verdict: Verdict, now: float) -> None:
        """Have another try that takes none of the task's own retries, as after a clear."""
        tries = instance.machinery_tries + 1
        self._ledger.move(
            instance,
            "up_for_retry",
            verdict.reason,
            due_at=now + machinery_delay_seconds(self._key, instance, tries),
            max_tries=instance.max_tries + 1,
            machinery_tries=tries,
            finished_at=now,
        )
        self._retries.add(instance)


def _has_left(instance: Instance, verdict: Verdict) -> bool:
    """Say whether a failure leaves the task one of its own retries."""
    return verdict.retryable and instance.try_number <= instance.max_tries


def _describe_spent(tries: int) -> str:
    """Say that the budget for what is the machinery's fault is used up."""
    again = "once" if tries == 1 else f"{tries} times"
    return f"it was tried again {again} for such a reason, and machinery_retries allows no more"
