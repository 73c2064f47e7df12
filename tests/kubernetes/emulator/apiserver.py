"""The HTTP of the API server: paths and verbs to objects, with faults in between. Moves no Pod."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiohttp import web

from emulator.admission import admit
from emulator.claim import ClaimProtection
from emulator.clock import now_text
from emulator.fault import Call, Faults, refusal_of
from emulator.listing import Lists
from emulator.refusal import (
    Refusal,
    already_exists,
    conflict,
    no_such_path,
    not_found,
    unauthorized,
)
from emulator.resource import RESOURCES, Resource
from emulator.store import Key, Object, Store
from emulator.watching import Watch

Log = Callable[[Object, dict[str, str]], Awaitable[bytes]]
REVIEW_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"}
_OTHERS = (REVIEW_PATH, "/version", "/livez", "/readyz", "/healthz")
_VERBS = {"POST": "create", "GET": "get", "DELETE": "delete", "PATCH": "patch", "PUT": "update"}


class Target(NamedTuple):
    """What a path names. ``name`` is empty for a collection."""

    resource: Resource
    namespace: str
    name: str
    part: str

    @property
    def key(self) -> Key:
        """Where the object is kept."""
        return Key(self.resource.plural, self.namespace, self.name)


class ApiServer:
    """Answers requests. ``token`` None lets everybody in; ``denied`` are pairs of verb and
    resource, such as ("get", "pods/log")."""

    def __init__(self, store: Store, faults: Faults, read_log: Log, bookmarks: float) -> None:
        self.store = store
        self.faults = faults
        self.token: str | None = None
        self.denied: set[tuple[str, str]] = set()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.lists = Lists(store)
        self._claims = ClaimProtection(store)
        self._read_log = read_log
        self._bookmarks = bookmarks

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a request as the server does, or as a fault wants it."""
        try:
            self._authenticate(request)
            if request.path in _OTHERS:
                return await self._other(request)
            target = _read_path(request.path)
            call = Call(_verb_of(request, target), target.resource.plural, target.name)
            self.calls[call.verb, call.resource] += 1
            faults = self.faults.of(call)
            return await self._under(faults, request, target, call)
        except Refusal as refusal:
            headers = {}
            if refusal.retry_after is not None:
                headers["Retry-After"] = str(refusal.retry_after)
            return web.json_response(refusal.status(), status=refusal.code, headers=headers)

    def _authenticate(self, request: web.Request) -> None:
        given = request.headers.get("Authorization")
        if self.token is not None and given != f"Bearer {self.token}":
            raise unauthorized()

    async def _other(self, request: web.Request) -> web.Response:
        """Answer what is asked about the server or about who asks."""
        if request.path == REVIEW_PATH:
            review = json.loads(await request.read())
            asked = review["spec"].get("resourceAttributes") or {}
            part = asked.get("subresource")
            resource = "/".join(filter(None, (asked.get("resource", ""), part)))
            allowed = (asked.get("verb"), resource) not in self.denied
            return web.json_response({**review, "status": {"allowed": allowed}}, status=201)
        if request.path == "/version":
            return web.json_response(VERSION)
        return web.Response(text="ok")

    async def _under(
        self, faults: dict[str, float], request: web.Request, target: Target, call: Call
    ) -> web.StreamResponse:
        if "slow" in faults:
            await asyncio.sleep(faults["slow"])
        for kind in faults:
            if kind == "gone":
                return _cut(request)
            refusal = refusal_of(kind, call)
            if refusal is not None and (call.verb, kind) != ("watch", "410"):
                raise refusal
        if _permission(call) in self.denied:
            raise _not_allowed(call, target)
        if call.verb == "watch":
            query = dict(request.query)
            if "410" in faults:
                query["resourceVersion"] = "1"
            watch = Watch(self.store, target.resource, target.namespace, query, self._bookmarks)
            return await watch.stream(request, faults, self.faults.lot)
        answer = await self._answer(request, target, call)
        return _cut(request) if "lost" in faults else answer

    async def _answer(self, request: web.Request, target: Target, call: Call) -> web.Response:
        if target.part == "log":
            return await self._log(request, target)
        if target.part not in ("", "status", "eviction"):
            raise no_such_path()
        if call.verb == "list":
            found = self.lists.answer(target.resource, target.namespace, request.query)
            return web.json_response(found)
        if call.verb == "get":
            return web.json_response(self._wanted(target))
        body = json.loads(await request.read() or b"{}")
        if call.verb == "create":
            return self._create(request, target, body)
        if call.verb == "patch":
            return web.json_response(self._patch(target, body))
        if call.verb == "deletecollection":
            return self._delete_all(request, target, body)
        if call.verb == "delete":
            body = {**body, **_options(request)}
            return web.json_response(self.delete(target.key, body))
        raise Refusal(405, "MethodNotAllowed", "the server does not allow this method")

    def _wanted(self, target: Target) -> Object:
        found = self.store.get(target.key)
        if found is None:
            raise not_found(target.resource.plural, target.name)
        return found

    def _create(self, request: web.Request, target: Target, body: Any) -> web.Response:
        resource = target.resource
        if target.part == "eviction":
            return web.json_response(self.delete(target.key, body.get("deleteOptions") or {}))
        strict = request.query.get("fieldValidation") == "Strict"
        item = admit(self.store, resource, target.namespace, body, strict)
        key = Key(resource.plural, target.namespace, item["metadata"]["name"])
        there = self.store.get(key)
        if there is not None:
            going = "deletionTimestamp" in there["metadata"]
            raise already_exists(resource.plural, key.name, is_going=going)
        if request.query.get("dryRun") != "All":
            item = self.store.put(key, item)
        return web.json_response(item, status=201)

    def _patch(self, target: Target, body: Any) -> Object:
        found = self._wanted(target)
        return self.store.put(target.key, _merged(found, body))

    def delete(self, key: Key, options: dict[str, Any]) -> Object:
        """Delete an object, or mark a Pod that a kubelet has to end first."""
        found = self.store.get(key)
        if found is None:
            raise not_found(key.resource, key.name)
        _check_preconditions(found, options.get("preconditions") or {})
        grace = _grace(found, options)
        if "All" in (options.get("dryRun") or ()):
            return found
        if key.resource == "persistentvolumeclaims":
            return self._claims.delete(found)
        if grace <= 0:
            return self.store.drop(key)
        metadata = found["metadata"]
        if metadata.get("deletionGracePeriodSeconds", grace + 1) <= grace:
            return found
        going = {"deletionTimestamp": now_text(grace), "deletionGracePeriodSeconds": grace}
        return self.store.put(key, {**found, "metadata": {**metadata, **going}})

    def _delete_all(self, request: web.Request, target: Target, body: Any) -> web.Response:
        found = self.lists.answer(target.resource, target.namespace, request.query)
        for item in found["items"]:
            metadata = item["metadata"]
            key = Key(target.resource.plural, metadata.get("namespace", ""), metadata["name"])
            self.delete(key, {**body, **_options(request)})
        return web.json_response(found)

    async def _log(self, request: web.Request, target: Target) -> web.Response:
        text = await self._read_log(self._wanted(target), dict(request.query))
        return web.Response(body=text, content_type="text/plain")


def _read_path(path: str) -> Target:
    steps = [step for step in path.split("/") if step]
    if steps[:2] == ["api", "v1"]:
        group, steps = "", steps[2:]
    elif steps[:1] == ["apis"] and len(steps) > 3:
        group, steps = steps[1], steps[3:]
    else:
        raise no_such_path()
    namespace = ""
    if len(steps) > 2 and steps[0] == "namespaces":
        namespace, steps = steps[1], steps[2:]
    resource = RESOURCES.get(steps[0]) if steps else None
    if resource is None or resource.group != group:
        raise no_such_path()
    return Target(resource, namespace, *[*steps[1:], "", ""][:2])


def _verb_of(request: web.Request, target: Target) -> str:
    verb = _VERBS.get(request.method, request.method.lower())
    if target.part == "log":
        return "log"
    if not target.name and verb == "get":
        return "watch" if request.query.get("watch") in ("true", "1", "True") else "list"
    return "deletecollection" if verb == "delete" and not target.name else verb


def _check_preconditions(found: Object, wanted: dict[str, str]) -> None:
    """Refuse to delete what is not what somebody has seen (1.36's words)."""
    for field, shown, hint in (
        ("uid", "UID", "deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "modified"),
    ):
        said, there = wanted.get(field), found["metadata"][field]
        if said and said != there:
            why = (
                f"the {shown} in the precondition ({said}) does not match the {shown} in record "
                f"({there}). The object might have been {hint}"
            )
            raise conflict(found["kind"], found["metadata"]["name"], why)


def _grace(found: Object, options: dict[str, Any]) -> int:
    if found["kind"] != "Pod":
        return 0
    # As podStrategy.CheckGracefulDelete: nobody has to end what nobody runs.
    is_over = found["status"].get("phase") in ("Succeeded", "Failed")
    if not found["spec"].get("nodeName") or is_over:
        return 0
    grace = options.get("gracePeriodSeconds")
    return int(found["spec"]["terminationGracePeriodSeconds"] if grace is None else grace)


def _options(request: web.Request) -> dict[str, Any]:
    grace = request.query.get("gracePeriodSeconds")
    return {} if grace is None else {"gracePeriodSeconds": int(grace)}


def _merged(found: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(found) if isinstance(found, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _permission(call: Call) -> tuple[str, str]:
    """Name what RBAC asks for: a log is got from a part of a Pod."""
    return ("get", f"{call.resource}/log") if call.verb == "log" else (call.verb, call.resource)


def _not_allowed(call: Call, target: Target) -> Refusal:
    user = "system:serviceaccount:leoflow:leoflow"
    where = f' in the namespace "{target.namespace}"' if target.namespace else ""
    group = target.resource.group
    words = (
        f'{call.resource} is forbidden: User "{user}" cannot {call.verb} resource '
        f'"{call.resource}" in API group "{group}"{where}'
    )
    return Refusal(403, "Forbidden", words, {"kind": call.resource})


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
