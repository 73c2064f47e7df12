"""Where agents that come over the network reach this process, as people set it."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest
from leoflow_controlplane.error import ExecutorUnusable, SettingInvalid
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.executor.reach import (
    MAX_CA_BYTES,
    Address,
    listen_at,
    read_address,
    warn_of_loopback,
)
from leoflow_controlplane.instance import open_instance


class Server:
    """Notes where it is to listen; ``refusal`` is what the machine says to that."""

    def __init__(self, refusal: OSError | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self._refusal = refusal

    async def listen_unix(self, *, stable: bool = False) -> Path:
        return Path("/sockets")

    async def listen_tcp(
        self, host: str = "127.0.0.1", port: int = 0, *, stable: bool = False
    ) -> int:
        self.asked.append((host, port))
        if self._refusal is not None:
            raise self._refusal
        return port or 4711


@pytest.fixture
def site(tmp_path):
    instance = open_instance(tmp_path)
    yield lambda server: Site(instance, server, None)
    instance.close()


async def _listen(site: Any, url: str, server: Any = None) -> None:
    await listen_at(Address(url), site(server or Server()))


@pytest.mark.parametrize(
    "url", ["10.0.0.7:9000", "ftp://host:1", "http://host", "http://:80", "http://h:1/path"]
)
async def test_an_address_of_another_form_is_refused(site, url):
    with pytest.raises(SettingInvalid, match="of the form http://HOST:PORT or https://HOST:PORT"):
        await _listen(site, url)


@pytest.mark.parametrize("url", ["https://leoflow.example:443", "http://leoflow.example:80"])
async def test_behind_a_proxy_it_listens_where_that_forwards_to(site, url):
    server = Server()
    await listen_at(Address(url, "127.0.0.1:9000", "PEM"), site(server))
    assert server.asked == [("127.0.0.1", 9000)]


async def test_https_needs_a_place_to_listen(site):
    with pytest.raises(SettingInvalid, match="set LEOFLOW_AGENT_LISTEN to the HOST:PORT that"):
        await _listen(site, "https://leoflow.example:443")


@pytest.mark.parametrize("listen", ["9000", "http://h:1", "h", ":80", "h:port"])
async def test_a_place_to_listen_of_another_form_is_refused(site, listen):
    expected = f"LEOFLOW_AGENT_LISTEN is '{listen}', and nothing can listen there"
    with pytest.raises(SettingInvalid, match=re.escape(expected)):
        await listen_at(Address("https://h:1", listen), site(Server()))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"LISTEN": "127.0.0.1:2"}, "LISTEN is '127.0.0.1:2', and has no effect without"),
        ({"CA": "/ca.pem"}, "CA is '/ca.pem', and has no effect without"),
        ({"URL": "http://h"}, "of the form http://HOST:PORT or"),
        ({"URL": "http://h:99999"}, "of the form http://HOST:PORT or"),
        ({"URL": "http://h:1", "LISTEN": "h"}, "LISTEN is 'h', and nothing can listen there"),
        ({"URL": "https://h:1"}, "speaks no TLS, so a proxy in front has to"),
    ],
)
@pytest.mark.parametrize("own_port", [False, True])
def test_what_agents_cannot_use_is_said_before_anything_is_begun(settings, says, own_port):
    """A server's own port may speak TLS; all else is wrong everywhere."""
    given = {f"LEOFLOW_AGENT_{name}": value for name, value in settings.items()}
    if own_port and "TLS" in says:
        assert read_address(given, own_port=True) == Address("https://h:1")
        return
    with pytest.raises(SettingInvalid, match=says):
        read_address(given, own_port=own_port)


def test_certificates_for_an_address_without_any_are_refused(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    given = {"LEOFLOW_AGENT_URL": "http://h:1", "LEOFLOW_AGENT_CA": str(file)}
    with pytest.raises(SettingInvalid, match="where nothing is encrypted"):
        read_address(given)


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://192.0.2.1:1", False),
        ("https://leoflow.example:443", False),
    ],
)
def test_an_address_at_which_a_pod_finds_itself_is_warned_of(url, warns):
    warning = warn_of_loopback(Address(url))
    assert (warning is not None) is warns
    assert warning is None or "is the Pod itself" in warning


def test_the_address_is_read_from_the_settings(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    settings = {"LEOFLOW_AGENT_URL": "https://h:1", "LEOFLOW_AGENT_LISTEN": "127.0.0.1:2"}
    found = read_address({**settings, "LEOFLOW_AGENT_CA": str(file)})
    assert found == Address("https://h:1", "127.0.0.1:2", "-----BEGIN CERTIFICATE-----\n")
    assert read_address({"LEOFLOW_AGENT_URL": ""}) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("no", "there is no certificate in it"),
        ("é", "ascii"),
        ("-----BEGIN CERTIFICATE-----" + "x" * MAX_CA_BYTES, "fit into a workload"),
    ],
)
def test_certificates_of_no_use_are_said(tmp_path, content, reason):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingInvalid, match=reason) as caught:
        read_address({"LEOFLOW_AGENT_URL": "https://h:1", "LEOFLOW_AGENT_CA": str(file)})
    assert "LEOFLOW_AGENT_CA is '" in str(caught.value)


async def test_an_address_that_is_not_ours_is_said_with_the_reason(site):
    refusal = OSError(99, "Cannot assign requested address")
    with pytest.raises(ExecutorUnusable, match="Cannot assign requested address"):
        await _listen(site, "http://10.0.0.7:9000", Server(refusal))


async def test_a_name_that_does_not_resolve_is_said(site):
    refusal = socket.gaierror(-2, "Name or service not known")
    with pytest.raises(ExecutorUnusable, match="Name or service not known"):
        await _listen(site, "http://nowhere.invalid:9000", Server(refusal))
