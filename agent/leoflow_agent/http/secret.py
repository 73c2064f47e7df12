"""Values that come from the task's environment, and what keeps secrets out of every text. Pure."""

import json
from base64 import b64encode
from urllib.parse import quote, quote_plus, unquote, urlsplit

from leoflow_agent import exitcode
from leoflow_agent.exitcode import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leoflow_agent.wire import FromEnvironment

# What any server may be told of a request; all other headers may be credentials.
HARMLESS_HEADERS = (
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-type",
    "user-agent",
)
# A header with one of these in its name has a secret that no text may show.
_CREDENTIAL_WORDS = (
    "auth",
    "cookie",
    "credential",
    "key",
    "pass",
    "secret",
    "session",
    "sign",
    "token",
)
# Shorter ones would blot out common words, and protect nothing.
_SHORTEST_SECRET = 4


class Secrets:
    """Knows the secrets of one request, and hides them."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def add(self, value: str) -> None:
        """Have ``value`` hidden from now on, also in the form that it has in a URL."""
        for form in (value, value.strip(), quote(value, safe=""), quote_plus(value)):
            if len(form) >= _SHORTEST_SECRET:
                self._known.add(form)

    def hide(self, text: str) -> str:
        """Return ``text`` with *** in place of every secret."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def read(
    source: "str | FromEnvironment", field: str, environment: "Mapping[str, str]", secrets: Secrets
) -> str:
    """Return the value of ``field``, looked up where it names a variable; Verdict without one."""
    if isinstance(source, str):
        return source
    name = source["env"]
    value = environment.get(name)
    if value is None:
        raise Verdict(
            exitcode.USER_FAILURE,
            f"{field} comes from the variable '{name}', which the task does not have: declare it "
            "under `environment` in leoflow.yaml, or as a variable or connection of the task",
        )
    secrets.add(value)
    if source["part"] is not None:
        login, password = _connection(name, value)
        secrets.add(password)
        value = {"login": login, "password": password}.get(source["part"]) or ""
        if source["part"] == "basic":
            value = basic(login, password)
            secrets.add(value.partition(" ")[2])
    return source["prefix"] + value


def basic(login: str, password: str) -> str:
    """Return the header Authorization of basic authentication (RFC 7617)."""
    return "Basic " + b64encode(f"{login}:{password}".encode()).decode()


def headers_for_another_server(headers: "Mapping[str, bytes]") -> "dict[str, bytes]":
    """Return the headers that a server may get which the request was not written for."""
    return {name: value for name, value in headers.items() if name.lower() in HARMLESS_HEADERS}


def credentials_in(headers: "Mapping[str, str]") -> "Iterable[str]":
    """Yield what in ``headers`` is called a secret, the scheme of an authorization apart."""
    for name, value in headers.items():
        if any(word in name.lower() for word in _CREDENTIAL_WORDS):
            yield value
            yield value.rpartition(" ")[2]


def _connection(name: str, text: str) -> "tuple[str, str]":
    """Read login and password of an Airflow connection, written as JSON or as a URI."""
    try:
        if text.lstrip().startswith("{"):
            known = json.loads(text)
            return str(known.get("login") or ""), str(known.get("password") or "")
        parts = urlsplit(text)
        if not parts.scheme:
            raise ValueError
        return unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        raise Verdict(
            exitcode.USER_FAILURE,
            f"the variable '{name}' is not a connection: write it as JSON or as a URI, as Airflow "
            "has it, or leave out 'part'",
        ) from None
