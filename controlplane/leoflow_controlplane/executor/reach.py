"""Where agents that come over the network reach this process, as people set it.

Knows no executor; listens where it is told to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from leoflow_controlplane.agentserver import is_loopback
from leoflow_controlplane.error import ExecutorUnusable, SettingInvalid
from leoflow_controlplane.executor.protocol import Site

MAX_CA_BYTES = 16 * 1024
_FIX = "Set it to an address of this machine that containers reach, and to a free port."


class Address(NamedTuple):
    """Where agents reach this process, and HOST:PORT where it listens if that is elsewhere.

    ``ca``: the certificates (PEM) that they check an https address's against.
    """

    url: str
    listen: str | None = None
    ca: str | None = None


def read_address(environment: Mapping[str, str], *, own_port: bool = False) -> Address | None:
    """Read LEOFLOW_AGENT_URL, _LISTEN and _CA; SettingInvalid if agents cannot use them.

    ``own_port``: agents come to a server's own port if no other one is named, and that has TLS of
    its own.
    """
    url = environment.get("LEOFLOW_AGENT_URL")
    listen = environment.get("LEOFLOW_AGENT_LISTEN") or None
    file = environment.get("LEOFLOW_AGENT_CA")
    if not url:
        _refuse_without_url(LEOFLOW_AGENT_LISTEN=listen, LEOFLOW_AGENT_CA=file)
        return None
    address = Address(url, listen, _read_ca(file) if file else None)
    scheme = _place("LEOFLOW_AGENT_URL", url).scheme
    if not own_port or listen is not None:
        _place_to_listen(address)
    if file and scheme != "https":
        raise SettingInvalid(
            f"LEOFLOW_AGENT_CA is '{file}', and LEOFLOW_AGENT_URL is '{url}', where nothing is "
            "encrypted and no certificate is looked at. Leave one out, or write https://."
        )
    return address


def _refuse_without_url(**given: str | None) -> None:
    for name, value in given.items():
        if value:
            raise SettingInvalid(
                f"{name} is '{value}', and has no effect without LEOFLOW_AGENT_URL, which says "
                "where agents report to. Set that too, or leave it out."
            )


def require_address(address: Address | None) -> Address:
    """Give the address; SettingInvalid if there is none, for none can be guessed."""
    if address is None:
        raise SettingInvalid(
            "the executor 'kubernetes' has to know where Pods reach this process. Set "
            "LEOFLOW_AGENT_URL to such an address: the URL of its Service in the cluster, or "
            "http://HOST:PORT of this machine, as Pods see it."
        )
    return address


def warn_of_loopback(address: Address) -> str | None:
    """Say that an address is one at which a Pod finds only itself."""
    host = urlsplit(address.url).hostname or ""
    if not is_loopback(host):
        return None
    return (
        f"warning: LEOFLOW_AGENT_URL is '{address.url}', and '{host}' in a Pod is the Pod itself: "
        "no agent will be heard of, unless its Pod has the node's network (hostNetwork) and the "
        "node is this machine."
    )


async def listen_at(address: Address, site: Site) -> None:
    """Listen where agents that were given ``address`` arrive. Raises ExecutorUnusable where nothing
    can listen, SettingInvalid where no place is named."""
    name, place = _place_to_listen(address)
    try:
        await site.server.listen_tcp(place.hostname or "", place.port or 0)
    except OSError as error:
        words = _refusal(name, address.listen or address.url, error.strerror or str(error))
        raise ExecutorUnusable(words) from None


def _place_to_listen(address: Address) -> tuple[str, SplitResult]:
    """Give the setting that says where to listen, and that place."""
    url = _place("LEOFLOW_AGENT_URL", address.url)
    if address.listen is not None:
        return "LEOFLOW_AGENT_LISTEN", _place("LEOFLOW_AGENT_LISTEN", address.listen)
    if url.scheme == "https":
        reason = (
            "the port that is opened for agents speaks no TLS, so a proxy in front has to: set "
            "LEOFLOW_AGENT_LISTEN to the HOST:PORT that it forwards to"
        )
        raise SettingInvalid(_refusal("LEOFLOW_AGENT_URL", address.url, reason))
    return "LEOFLOW_AGENT_URL", url


def _place(name: str, value: str) -> SplitResult:
    """Read a setting that names a host and a port, and nothing else."""
    is_url = name == "LEOFLOW_AGENT_URL"
    form = "http://HOST:PORT or https://HOST:PORT" if is_url else "HOST:PORT"
    wrong = SettingInvalid(_refusal(name, value, f"it has to be of the form {form}"))
    try:
        parts = urlsplit(value if is_url else f"//{value}")
        extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        whole = parts.hostname and parts.port and not extra
    except ValueError:
        raise wrong from None
    if not whole or parts.scheme not in (("http", "https") if is_url else ("",)):
        raise wrong
    return parts


def _refusal(name: str, value: str, reason: str) -> str:
    return f"{name} is '{value}', and nothing can listen there: {reason}. {_FIX}"


def _read_ca(file: str) -> str:
    try:
        text = Path(file).read_text("ascii")
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise ValueError("there is no certificate in it")
        if len(text) > MAX_CA_BYTES:
            raise ValueError(f"it has {len(text)} bytes, and {MAX_CA_BYTES} fit into a workload")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingInvalid(
            f"LEOFLOW_AGENT_CA is '{file}', which cannot be used: {reason}. Set it to a file of "
            "the certificates (PEM) that agents trust, or leave it out for those of the image."
        ) from None
    return text
