"""An http_api task that runs in a container: one request, its answer is the result."""

import json
import urllib.error
import urllib.parse
import urllib.request

from leoflow_agent import exitcode
from leoflow_agent.exitcode import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.wire import HttpRequest


def send(request: "HttpRequest") -> object:
    """Send ``request`` and return the body of the answer: JSON where it says so, else text.

    Raises Verdict when no answer came or its status is not one of ``success_codes``.
    """
    url = _url(request)
    prepared = urllib.request.Request(
        url, data=_body(request), headers=_headers(request), method=request["method"]
    )
    try:
        with urllib.request.urlopen(prepared, timeout=request["timeout_seconds"]) as answer:
            status, kind, body = answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            status, kind, body = refused.code, refused.headers.get_content_type(), refused.read()
    except OSError as error:
        cause = getattr(error, "reason", error)
        raise Verdict(
            exitcode.USER_FAILURE, f"{request['method']} {_shown(url)} got no answer: {cause}"
        ) from None
    if status not in request["success_codes"]:
        raise Verdict(
            exitcode.USER_FAILURE,
            f"{request['method']} {_shown(url)} was answered with {status}, "
            f"success_codes are {request['success_codes']}",
        )
    return _value(kind, body, url)


def _url(request: "HttpRequest") -> str:
    if not request["query"]:
        return request["url"]
    joint = "&" if "?" in request["url"] else "?"
    return request["url"] + joint + urllib.parse.urlencode(request["query"])


def _headers(request: "HttpRequest") -> "dict[str, str]":
    if request["body"] is None or isinstance(request["body"], str):
        return request["headers"]
    return {"Content-Type": "application/json", **request["headers"]}


def _body(request: "HttpRequest") -> "bytes | None":
    body = request["body"]
    if body is None:
        return None
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _value(kind: str, body: bytes, url: str) -> object:
    if not body:
        return None
    text = body.decode("utf-8", "replace")
    if kind != "application/json" and not kind.endswith("+json"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise Verdict(
            exitcode.RESULT_INVALID,
            f"the answer of {_shown(url)} calls itself JSON and is not: {error}",
        ) from None


def _shown(url: str) -> str:
    """Leave out what may hold a secret: the query and the user's password."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
