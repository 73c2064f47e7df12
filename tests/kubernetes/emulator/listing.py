"""Lists: selectors, pages that stay as the first one was, and the versions asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from emulator.refusal import Refusal, bad_request, expired
from emulator.resource import Resource
from emulator.selector import read_selectors
from emulator.store import Object, Store

Query = Mapping[str, str]
MOST_SNAPSHOTS = 100


class Lists:
    """Answers lists. What a first page left over is kept for the next one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left: dict[str, tuple[int, list[Object]]] = {}

    def answer(self, resource: Resource, namespace: str, query: Query) -> dict[str, Any]:
        """Give a list; Refusal if its page or its version cannot be had."""
        store = self._store
        if token := query.get("continue"):
            revision, items = self._continued(token)
        else:
            check_version(store, query.get("resourceVersion", ""))
            matches = read_selectors(query.get("labelSelector", ""), query.get("fieldSelector", ""))
            items = [item for item in store.all(resource.plural, namespace) if matches(item)]
            revision = store.revision
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        limit = int(query.get("limit") or 0)
        if limit and len(items) > limit:
            items, left = items[:limit], items[limit:]
            metadata["continue"] = self._keep(revision, items[-1], left)
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = len(left)
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": metadata,
            # As the server: items of a list do not say of what kind they are.
            "items": [
                {name: part for name, part in item.items() if name not in ("kind", "apiVersion")}
                for item in items
            ],
        }

    def forget(self) -> None:
        """Lose what was left over: its versions are compacted."""
        self._left.clear()

    def _keep(self, revision: int, last: Object, left: list[Object]) -> str:
        metadata = last["metadata"]
        start = f"{metadata.get('namespace', '')}/{metadata['name']}\0"
        document = {"v": "meta.k8s.io/v1", "rv": revision, "start": start}
        token = base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
        self._left[token] = revision, left
        while len(self._left) > MOST_SNAPSHOTS:
            del self._left[next(iter(self._left))]
        return token

    def _continued(self, token: str) -> tuple[int, list[Object]]:
        kept = self._left.get(token)
        if kept is None or kept[0] < self._store.floor:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter, or use the continue "
                "token in this response to retrieve the remainder of the results."
            )
        return kept


def check_version(store: Store, text: str) -> int | None:
    """Read a resourceVersion; None if it is not said or any will do."""
    if text in ("", "0"):
        return None
    if not text.isdigit():
        raise bad_request(f'invalid resource version "{text}": strconv.ParseUint: invalid syntax')
    if int(text) > store.revision:
        words = f"Too large resource version: {text}, current: {store.revision}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise Refusal(504, "Timeout", words, {"causes": [cause]}, retry_after=1)
    return int(text)
