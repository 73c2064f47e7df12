"""What is said when the engine cannot be reached: the system's words, not an HTTP library's."""

from __future__ import annotations

from typing import Any

import docker
import docker.errors
import pytest
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.docker.engine import Engine, open_engine
from leoflow_controlplane.executor.docker.fault import EngineUnreachable, NoEngine
from requests import Response
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


class ContainerThere:
    """A client of an engine that has the container of a try, and trouble when it is asked of it."""

    def __init__(self, failing: str) -> None:
        self.removed: list[str] = []
        self._failing = failing
        self._asked = 0

    def create_container_from_config(self, *_: object) -> None:
        raise refusal(409)

    def inspect_container(self, _name: str) -> dict[str, Any]:
        self._asked += 1
        if self._failing == "inspect" and self._asked == 2:
            raise refusal(500)
        return {"Config": {"Labels": {}}, "State": {"Status": "created"}, "Mounts": []}

    def start(self, _name: str) -> None:
        raise refusal(500)

    def remove_container(self, name: str, **_: object) -> None:
        self.removed.append(name)


def refusal(status: int) -> docker.errors.APIError:
    response = Response()
    response.status_code = status
    return docker.errors.APIError("no", response, "server error")


@pytest.mark.parametrize("failing", ["inspect", "start"])
def test_a_container_whose_creation_was_not_answered_is_not_removed_for_an_error(
    failing: str,
) -> None:
    """It may run, and its task would begin once more in the next one."""
    client = ContainerThere(failing)
    with pytest.raises(LaunchFailed, match="server error"):
        Engine(client).create_and_start("try", {"Image": "i", "Labels": {}, "HostConfig": {}})
    assert client.removed == []


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
