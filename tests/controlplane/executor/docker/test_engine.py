"""What is said when the engine cannot be reached: the system's words, not an HTTP library's."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_controlplane.executor.docker.engine import Engine
from leoflow_controlplane.executor.docker.fault import EngineUnreachable
from requests.exceptions import ConnectionError, ReadTimeout
from urllib3.exceptions import ProtocolError


class FailingClient:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def kill(self, *_: object) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ConnectionError(ProtocolError("aborted", ConnectionRefusedError(111, "refused"))),
            "refused",
        ),
        (ConnectionError(ConnectionResetError(104, "reset by peer")), "reset by peer"),
        (OSError(13, "Permission denied"), "Permission denied"),
        (ReadTimeout("timed out after 60 s"), "timed out after 60 s"),
    ],
)
def test_the_reason_is_in_plain_words(error: Exception, text: str) -> None:
    with pytest.raises(EngineUnreachable) as caught:
        Engine(FailingClient(error)).kill("name", "SIGTERM")
    assert str(caught.value) == text
