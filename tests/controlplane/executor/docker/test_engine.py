"""What is said when the engine cannot be reached: the system's words, not an HTTP library's."""

from __future__ import annotations

from typing import Any

import docker
import docker.errors
import pytest
from leoflow_controlplane.executor.docker.engine import Engine, open_engine
from leoflow_controlplane.executor.docker.fault import EngineUnreachable, NoEngine
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


def test_no_engine_is_told_with_its_address_and_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_client(**_: object) -> Any:
        raise docker.errors.DockerException("Error while fetching") from ConnectionError(
            ProtocolError("aborted", FileNotFoundError(2, "No such file or directory"))
        )

    monkeypatch.setattr(docker, "APIClient", no_client)
    monkeypatch.setenv("DOCKER_HOST", "unix:///none.sock")
    with pytest.raises(NoEngine) as caught:
        open_engine()
    assert str(caught.value) == (
        "no Docker engine answers at 'unix:///none.sock': No such file or directory. Start one, "
        "set DOCKER_HOST, or run without containers: --executor subprocess."
    )


def test_an_engine_that_this_user_may_not_use_is_there() -> None:
    told = str(NoEngine("unix:///var/run/docker.sock", "Permission denied"))
    assert "by the group 'docker'" in told
    assert "Start one" not in told
