"""How long a Pod that has ended is kept for people. Its removal is in test_executor.py."""

from __future__ import annotations

import pytest
from leoflow_agent import exitcode
from leoflow_controlplane.executor.cluster.leftover import Keep
from leoflow_controlplane.pod.ending import Over
from leoflow_controlplane.verdict import Exit


@pytest.mark.parametrize(
    ("code", "seconds"),
    [(exitcode.SUCCESS, 1.0), (exitcode.SKIPPED, 1.0), (1, 100.0), (None, 100.0)],
)
def test_a_pod_whose_task_failed_is_kept_for_longer(code: int | None, seconds: float) -> None:
    assert Keep(1.0, 100.0).seconds(Over(Exit(code))) == seconds
