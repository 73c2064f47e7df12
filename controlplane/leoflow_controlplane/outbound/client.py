"""How requests of the control plane are sent: over guarded, shared connections, or by a proxy.

Requests are given to the transport as they are. A client of httpx around it would add cookies and
defaults that nobody wants here, and take a third of the time of a call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from urllib.request import getproxies, proxy_bypass

import httpx

from leoflow_controlplane.outbound.guard import Guard
from leoflow_controlplane.outbound.network import Network
from leoflow_controlplane.outbound.pool import Pool


def make_transport(
    allowed_hosts: Iterable[str], connections: int, per_host: int
) -> httpx.AsyncBaseTransport:
    """Make what sends requests, for one event loop."""
    network = Network(Guard(allowed_hosts))
    pool = Pool(network, connections, per_host)
    proxies = getproxies()
    return _Proxied(network, pool, proxies, connections) if proxies else pool


class _Proxied(httpx.AsyncBaseTransport):
    """Sends by the proxies of the environment what is not to be sent directly.

    A proxy looks up names itself, so that what is known of an address here holds for names that
    mean the same to both, and no further: what else it may reach is the proxy's to say.
    """

    def __init__(
        self, network: Network, direct: Pool, proxies: dict[str, str], connections: int
    ) -> None:
        self._network = network
        self._direct = direct
        self._proxies = proxies
        self._limits = httpx.Limits(max_connections=connections)
        self._ways: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        url = request.url
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if not proxy or proxy_bypass(url.netloc.decode()):
            return await self._direct.handle_async_request(request)
        with contextlib.suppress(OSError):
            await self._network.check(url.host, url.port or 0)
        return await self._way(proxy).handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._direct.aclose()
        for way in self._ways.values():
            await way.aclose()

    def _way(self, proxy: str) -> httpx.AsyncHTTPTransport:
        if proxy not in self._ways:
            address = proxy if "://" in proxy else f"http://{proxy}"
            self._ways[proxy] = httpx.AsyncHTTPTransport(proxy=address, limits=self._limits)
        return self._ways[proxy]
