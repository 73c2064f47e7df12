"""What the agent writes down again, since importing the contract costs each start, is the same."""

from __future__ import annotations

import pytest
from leoflow_agent import channel, child, exitcode, inquiry, reporter, task, testament, wire


@pytest.mark.parametrize(
    ("copy", "contract"),
    [
        (channel.MARK, wire.PROTOCOL_HEADER),
        (inquiry.INPUTS_PATH, wire.INPUTS_PATH),
        (inquiry.XCOM_PATH, wire.XCOM_PATH),
        (reporter.EVENTS_PATH, wire.EVENTS_PATH),
        (reporter.PROTOCOL, wire.PROTOCOL),
        (testament.DEFAULT_PATH.decode(), wire.VERDICT_FILE),
        (testament.MAX_BYTES, wire.MAX_VERDICT_BYTES),
        (testament.VARIABLE.decode(), wire.VERDICT_VARIABLE),
        (child.USER_FAILURE, exitcode.USER_FAILURE),
        (child.RESULT_LOST, exitcode.RESULT_LOST),
        (task.SUCCESS, exitcode.SUCCESS),
        (task.AGENT_FAILED, exitcode.AGENT_FAILED),
    ],
)
def test_a_copy_is_what_the_contract_says(copy: object, contract: object) -> None:
    assert copy == contract
