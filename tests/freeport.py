"""Ports for programs that have to be told theirs before they take it."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from pathlib import Path

_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")
# From there on are the ports that a cluster gives its services.
_LAST = 30_000


def free_port(host: str = "127.0.0.1") -> int:
    """Find a port that nobody has, and that nobody will take by chance while its owner is away.

    So it is below those that the kernel gives to connections and to whoever asks for any port:
    the tests beside this one are given hundreds of them a minute.
    """
    first_given = int(_GIVEN.read_text().split()[0])
    ports = range(10_000, min(first_given, _LAST)) or range(10_000, _LAST)
    while True:
        port = secrets.choice(ports)
        with suppress(OSError), socket.socket() as probe:
            probe.bind((host, port))
            return port
