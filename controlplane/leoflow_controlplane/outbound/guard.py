"""Which addresses the control plane may be made to call by those who write DAGs. Pure: names are
resolved by others, and each address that came of it is judged here.

Private networks are open: a company's own services are what most calls are for. What belongs to
the machine itself, its link and the cloud's metadata is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from leoflow_controlplane.error import ControlPlaneError, SettingInvalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SETTING = "LEOFLOW_INLINE_ALLOWED_HOSTS"
# What `leoflow run` allows beside: there the calls are the developer's own.
LOOPBACK = ("127.0.0.0/8", "::1")

_METADATA = "a cloud's metadata service"
_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(text), what)
    for text, what in (
        # Amazon, Google, Azure and most others; then Alibaba, Oracle, Azure's agent, and on IPv6
        # Amazon and Google.
        ("169.254.169.254", _METADATA),
        ("100.100.100.200", _METADATA),
        ("192.0.0.192", _METADATA),
        ("168.63.129.16", _METADATA),
        ("fd00:ec2::/32", _METADATA),
        ("fd20:ce::254", _METADATA),
        ("127.0.0.0/8", "the machine that leoflow runs on"),
        ("::1", "the machine that leoflow runs on"),
        ("0.0.0.0/8", "no address"),
        ("::", "no address"),
        ("169.254.0.0/16", "link-local"),
        ("fe80::/10", "link-local"),
        ("224.0.0.0/4", "multicast"),
        ("ff00::/8", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_LAST_32_BITS = tuple(
    IPv6Network(text)
    # IPv4-mapped, IPv4-compatible, translated (RFC 2765), NAT64 (RFC 6052, RFC 8215).
    for text in ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
_SIX_TO_FOUR, _TEREDO = IPv6Network("2002::/16"), IPv6Network("2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)
_HOST_NAME = re.compile(r"(?!-)[\w.-]{1,253}(?<![-.])", re.ASCII)


class AddressRefused(ControlPlaneError):
    """A request would go where requests of DAGs must not go."""


class Guard:
    """Judges addresses. ``allowed``: host names, addresses and networks that are open whatever they
    are; SettingInvalid names one that is none of these."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for entry in allowed:
            self._allow(entry.strip().strip("[]"))

    def check(self, host: str, address: str) -> None:
        """Raise AddressRefused if ``address``, which ``host`` was resolved to, is not open."""
        if host.lower().rstrip(".") in self._names:
            return
        numbers = _parse(address)
        if any(number in network for number in numbers[:1] for network in self._networks):
            return
        for number in numbers:
            if any(number in network for network in self._networks):
                continue
            for network, what in _REFUSED:
                if number in network:
                    raise AddressRefused(_text(host, address, what))

    def _allow(self, entry: str) -> None:
        try:
            self._networks.append(ip_network(entry, strict=False))
            return
        except ValueError:
            pass
        name = entry.lower().rstrip(".")
        if not _HOST_NAME.fullmatch(name) or name.replace(".", "").isdigit():
            raise SettingInvalid(
                f"{SETTING} has '{entry}', which is no host name, address or network. Write them "
                "with commas between, such as 'localhost, 10.1.2.3, 127.0.0.0/8'."
            )
        self._names.add(name)


def split_hosts(text: str) -> tuple[str, ...]:
    """Read the setting; SettingInvalid names an entry that makes no sense."""
    hosts = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    Guard(hosts)
    return hosts


def _parse(address: str) -> list[Address]:
    """Give an address and those that are packed into it."""
    number = ip_address(address.partition("%")[0])
    return [number, *(_packed(number) if isinstance(number, IPv6Address) else ())]


def _packed(address: IPv6Address) -> Iterator[IPv4Address]:
    bits = int(address)
    low = bits & 0xFFFFFFFF
    # ::1 and :: are addresses of their own.
    if low > 1 and any(address in network for network in _LAST_32_BITS):
        yield IPv4Address(low)
    if (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(low)
    if address in _SIX_TO_FOUR:
        yield IPv4Address((bits >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:
        yield IPv4Address(low ^ 0xFFFFFFFF)
        yield IPv4Address((bits >> 64) & 0xFFFFFFFF)


def _text(host: str, address: str, what: str) -> str:
    where = (
        f"'{host}' is at {address}, which is {what}" if host != address else f"'{host}' is {what}"
    )
    return (
        f"{where}: requests of the control plane do not go there. Its operator may open it with "
        f"{SETTING}={host}"
    )
