"""URLs: how they are sent, how they are shown, and which of them are the same server. Pure.

What is shown never has a query, a fragment or a password.
"""

from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PORTS = {"http": 80, "https": 443}
# What may stand in a URL; anything else is percent-encoded, what is encoded stays as it is.
_ALLOWED = "%/:=&?~#+!$,;'@()*[]-._"


class UrlInvalid(Exception):
    """A URL cannot be asked; the text says why without showing it."""


def clean(url: str) -> "tuple[str, tuple[str, str] | None]":
    """Return ``url`` as it is sent, and the name and password that stood in it; else UrlInvalid."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except (ValueError, UnicodeError):
        raise UrlInvalid("it is not a URL") from None
    if parts.scheme not in _PORTS:
        raise UrlInvalid("it does not begin with http:// or https://")
    if not host:
        raise UrlInvalid("it names no host")
    place = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[parts.scheme]:
        place += f":{port}"
    path = quote(parts.path or "/", safe=_ALLOWED)
    sent = urlunsplit((parts.scheme, place, path, quote(parts.query, safe=_ALLOWED), ""))
    if parts.username is None and parts.password is None:
        return sent, None
    return sent, (unquote(parts.username or ""), unquote(parts.password or ""))


def shown(url: str) -> str:
    """Return a URL without what may be a secret: query, fragment, name and password."""
    server = shown_server(url)
    return server + urlsplit(url.strip()).path if "://" in server else server


def shown_server(url: str) -> str:
    """Return only which server a URL is of; its path may be a secret as well."""
    try:
        parts = urlsplit(url.strip())
        is_one = parts.scheme and parts.hostname and (parts.port or True)
    except ValueError:
        is_one = False
    if not is_one:
        return "a URL that is none"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def with_query(url: str, values: "Mapping[str, str]") -> str:
    """Return ``url`` with ``values`` added to its query."""
    if not values:
        return url
    url, hash_mark, fragment = url.partition("#")
    joint = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return url + joint + urlencode(values) + hash_mark + fragment


def replace_query(url: str, name: str, value: str) -> str:
    """Return ``url`` whose query has ``name`` once, with ``value``."""
    parts = urlsplit(url)
    kept = [item for item in parse_qsl(parts.query, keep_blank_values=True) if item[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*kept, (name, value)])))


def lacks_query(url: str, names: "Iterable[str]") -> "list[str]":
    """Return those of ``names`` that the query of ``url`` does not have."""
    known = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    return [name for name in names if name not in known]


def follow(base: str, target: str) -> "str":
    """Return where ``target`` leads from ``base``, cleaned of a name and password; UrlInvalid."""
    try:
        joined = urljoin(base, target)
    except ValueError:
        raise UrlInvalid("it is not a URL") from None
    return clean(joined)[0]


def is_same_server(first: str, second: str) -> bool:
    """Tell whether what ``first`` may know ``second`` may know too: same scheme, host and port.

    From http to https on the usual ports of one host is the same server, the other way is not.
    """
    one, other = urlsplit(first), urlsplit(second)
    if (one.scheme, one.netloc) == (other.scheme, other.netloc):
        return True
    upgraded = (one.scheme, other.scheme) == ("http", "https")
    return upgraded and one.netloc == other.netloc and one.port is None


def is_allowed(url: str, base: str, hosts: "Iterable[str]") -> bool:
    """Tell whether ``url`` is of one of ``hosts`` (``host`` or ``host:port``) and as safe."""
    parts = urlsplit(url)
    if urlsplit(base).scheme == "https" and parts.scheme != "https":
        return False
    return parts.netloc in {host.lower() for host in hosts}
