"""What is told to the process that makes calls: of variables, those that a request names."""

from __future__ import annotations

from leoflow_agent.action import FromEnvironment, HttpAction
from leoflow_controlplane.inline.message import variables_of
from leoflow_controlplane.inputs import resolve_request


def test_a_request_is_given_the_variables_that_it_names() -> None:
    action = HttpAction(
        FromEnvironment("PLACE"),
        headers={"a": FromEnvironment("A")},
        query={"b": FromEnvironment("B"), "c": FromEnvironment("A")},
    )
    assert variables_of(resolve_request(action, {})) == {"PLACE", "A", "B"}
