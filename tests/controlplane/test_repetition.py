"""What becomes of an inline call that a crash interrupted."""

from __future__ import annotations

import pytest
from house import make_task
from leoflow_agent.action import HttpAction
from leoflow_controlplane.repetition import may_repeat


@pytest.mark.parametrize(
    ("method", "began", "allowed"),
    [
        ("POST", False, True),
        ("POST", True, False),
        ("PATCH", True, False),
        ("GET", True, True),
        ("PUT", True, True),
        ("DELETE", True, True),
    ],
)
def test_only_what_may_have_been_done_and_must_not_be_done_twice_is_not_repeated(
    method: str, began: bool, allowed: bool
) -> None:
    task = make_task("h", action=HttpAction("http://api/x", method=method))
    repetition = may_repeat(task, began=began)
    assert repetition.allowed is allowed
    assert (repetition.reason is None) is allowed


def test_a_reason_names_the_method_and_what_to_do() -> None:
    task = make_task("h", action=HttpAction("http://api/x", method="POST"))
    assert "this POST" in str(may_repeat(task, began=True).reason)
    assert "clear the task" in str(may_repeat(task, began=True).reason)


def test_what_is_no_call_is_not_asked_about() -> None:
    with pytest.raises(ValueError, match="'a' is no inline"):
        may_repeat(make_task("a"), began=True)
