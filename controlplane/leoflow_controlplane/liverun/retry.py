"""When a failed try is followed by another one. Airflow's formula, jitter from a hash included."""

from __future__ import annotations

import hashlib
import math

from leoflow_agent.spec import TaskSpec

from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.model import RunKey

# Airflow's MAX_RETRY_DELAY: a day.
LONGEST_SECONDS = 24 * 60 * 60.0


def retry_delay_seconds(task: TaskSpec, key: RunKey, instance: Instance) -> float:
    """Give the time from the end of the try to the next one, the same whenever it is asked for.

    With exponential backoff it is between delay * 2^(n-1) and twice that for the n-th try since
    the task was last cleared, at most a day and at most ``max_retry_delay_seconds``.
    """
    if not task.retry_exponential_backoff:
        return task.retry_delay_seconds
    nth = max(1, instance.try_number - (instance.max_tries - task.retries))
    # Beyond a day the exact figure does not matter, and 2^n would become too large for a float.
    least = max(1, math.ceil(task.retry_delay_seconds * 2 ** min(nth - 1, 60)))
    name = (
        f"{key.dag_id}#{instance.task_id}#{instance.map_index}#{key.run_id}#{instance.try_number}"
    )
    spread = int.from_bytes(hashlib.sha256(name.encode()).digest()) % least
    longest = task.max_retry_delay_seconds
    return min(float(least + spread), LONGEST_SECONDS, math.inf if longest is None else longest)
