"""One registry's address over HTTP: logs in, and turns every failure into one that says what to do.

It sends each request once; `retry` decides about another attempt.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from leoflow_builder.registry.authorisation import Authorisation, Scopes
from leoflow_builder.registry.credential import Find
from leoflow_builder.registry.failure import PlainHttp
from leoflow_builder.registry.outcome import check
from leoflow_builder.registry.reference import DOCKER_HUB
from leoflow_builder.registry.setting import INSECURE_VARIABLE
from leoflow_builder.registry.wire_failure import explained

_HUB_API = "registry-1.docker.io"
_CONNECT_SECONDS = 10.0
# At the end of an upload a registry reads the blob again, or sends it on to its own storage.
_UPLOAD_FACTOR = 5
_FOLLOWED = ("GET", "HEAD")

Body = Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Call:
    """One request. ``path`` is below /v2/, or an address that the registry gave; ``doing`` is for
    errors: "pushing the blob 'sha256:…'". ``expected`` are the status codes that are answers."""

    method: str
    path: str | httpx.URL
    scopes: Scopes
    doing: str
    expected: tuple[int, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | bytes | None = None


class Connection:
    """A registry at a host, which may carry a port. Thread-safe; close it at the end."""

    def __init__(
        self,
        host: str,
        find: Find,
        insecure: bool = False,
        timeout_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.host = host
        self._insecure = insecure
        self._now = now
        scheme = "http" if insecure else "https"
        address = _HUB_API if host == DOCKER_HUB else host
        self._root = httpx.URL(f"{scheme}://{address}/v2/")
        self._timeout = _timeout(timeout_seconds)
        self._upload_timeout = _timeout(timeout_seconds * _UPLOAD_FACTOR)
        self._http = httpx.Client(
            transport=transport,
            verify=_trusted() if not insecure else False,
            timeout=self._timeout,
            headers={"User-Agent": "leoflow"},
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=8),
        )
        self._authorisation = Authorisation(host, find, insecure, self._fetch, clock)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(self, call: Call) -> httpx.Response:
        """Send a request and read the answer whole; see `stream` for what is raised."""
        with self.stream(call) as response:
            response.read()
            return response

    @contextmanager
    def stream(self, call: Call) -> Iterator[httpx.Response]:
        """Give the answer to a request, its body unread.

        A status that the call does not expect is a RegistryError; Temporary, if another attempt
        may help. So are failures of the network, also while the body is read.
        """
        with explained(self.host, call.doing):
            response = self._exchange(call)
            try:
                if response.status_code not in call.expected:
                    response.read()
                    tried = self._authorisation.tried(call.scopes)
                    check(response, self.host, call.doing, tried, self._now())
                yield response
            finally:
                response.close()

    def resolve(self, location: str, before: httpx.URL) -> httpx.URL:
        """Return the address that a header Location names, never an unencrypted one unasked."""
        url = before.join(location)
        if url.scheme == "http" and not self._insecure:
            if url.host != before.host:
                raise PlainHttp(
                    f"registry '{self.host}' wants the upload sent to '{url.host}' without "
                    f"encryption. If that is meant, name '{self.host}' in {INSECURE_VARIABLE}"
                )
            # A registry behind a proxy that does the encryption does not know of it.
            url = url.copy_with(scheme="https", port=before.port)
        return url

    def _exchange(self, call: Call) -> httpx.Response:
        url = self._root.join(call.path)
        is_ours = url.netloc == self._root.netloc
        header = self._authorisation.header(call.scopes) if is_ours else None
        response = self._open(call, url, header)
        if response.status_code != 401 or not is_ours:
            return response
        response.close()
        asked = response.headers.get_list("WWW-Authenticate")
        other = self._authorisation.renew(asked, call.scopes, header)
        return self._open(call, url, other)

    def _open(self, call: Call, url: httpx.URL, authorisation: str | None) -> httpx.Response:
        headers = {**call.headers, **({"Authorization": authorisation} if authorisation else {})}
        body = call.body() if callable(call.body) else call.body
        request = self._http.build_request(
            call.method,
            url,
            headers=headers,
            content=body,
            timeout=self._timeout if isinstance(body, bytes | None) else self._upload_timeout,
        )
        # httpx takes the header Authorization off what is redirected to another host.
        follow = call.method in _FOLLOWED
        return self._http.send(request, stream=True, follow_redirects=follow)

    def _fetch(self, request: httpx.Request, doing: str) -> httpx.Response:
        request.headers.setdefault("User-Agent", self._http.headers["User-Agent"])
        request.extensions["timeout"] = self._timeout.as_dict()
        with explained(self.host, doing):
            response = self._http.send(request)
        if response.status_code == 429 or response.status_code >= 500:
            check(response, self.host, doing, "", self._now())
        return response


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS), pool=None)


def _trusted() -> ssl.SSLContext:
    """Trust what the system trusts, which SSL_CERT_FILE and SSL_CERT_DIR change."""
    context = ssl.create_default_context()
    places = ssl.get_default_verify_paths()
    if places.cafile is None and places.capath is None:
        # A Python that was built elsewhere knows no system certificates.
        import certifi

        context.load_verify_locations(certifi.where())
    return context
