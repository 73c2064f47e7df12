"""Says in plain words what httpx raises. It decides which of it another attempt may mend."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from leoflow_builder.registry.failure import PlainHttp, RegistryError, Temporary
from leoflow_builder.registry.setting import INSECURE_VARIABLE
from leoflow_builder.systemwords import system_words

# What OpenSSL says, by version, of an answer that is not TLS at all.
_NOT_TLS = {
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
    "WRONG_VERSION_NUMBER",
}


@contextmanager
def explained(host: str, doing: str) -> Iterator[None]:
    """Turn failures of the network into RegistryError, Temporary where it may be so."""
    try:
        yield
    except httpx.TooManyRedirects:
        raise RegistryError(
            f"{doing} failed: registry '{host}' redirects for ever. Is the address right?"
        ) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise RegistryError(
            f"{doing} failed: registry '{host}' gave an address that is none: {error}"
        ) from None
    except httpx.TransportError as error:
        failure = _tls_failure(host, doing, error)
        if failure is not None:
            raise failure from error
        raise Temporary(_network_text(host, doing, error)) from error


def _tls_failure(host: str, doing: str, error: BaseException) -> RegistryError | None:
    cause = _ssl_error(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RegistryError(
            f"{doing} failed: the certificate of '{host}' is not trusted: {cause.verify_message}. "
            "Name a file with the certificate of its authority in SSL_CERT_FILE"
        )
    if cause is not None and cause.reason in _NOT_TLS:
        return PlainHttp(
            f"{doing} failed: '{host}' does not talk TLS. If it is a registry on plain HTTP and "
            f"that is meant, name it: {INSECURE_VARIABLE}={host}"
        )
    return None


def _ssl_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _network_text(host: str, doing: str, error: httpx.TransportError) -> str:
    said = system_words(error)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return (
            f"{doing} failed: registry '{host}' cannot be reached: {said}. Check the name, the "
            "network, and HTTPS_PROXY"
        )
    if isinstance(error, httpx.TimeoutException):
        return f"{doing} failed: registry '{host}' fell silent ({type(error).__name__})"
    return f"{doing} failed: the connection to registry '{host}' was cut: {said}"
