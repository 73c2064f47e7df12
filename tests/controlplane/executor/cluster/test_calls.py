"""What is asked of an API server for a Pod, and what its answers mean for that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.connection import Answer
from leoflow_controlplane.executor.cluster.fault import CallFailed, Moved, Refused, Throttled

ANOTHER = (
    'Operation cannot be fulfilled on Pod "p": the UID in the precondition (a) does not match the '
    "UID in record (b). The object might have been deleted and then recreated"
)
CHANGED = (
    'Operation cannot be fulfilled on pods "p": StorageError: invalid object, Code: 4, '
    "AdditionalErrorMsg: Precondition failed: ResourceVersion in precondition: 1, ResourceVersion "
    "in object meta: 2"
)
DENIED = 'admission webhook "guard.example.com" denied the request: it is protected'
BUSY = 'Operation cannot be fulfilled on pods "p": try again'


class Saying:
    """A connection over which every answer has a status and certain words."""

    namespace = "runs"

    def __init__(self, words: str, status: int = 409) -> None:
        self._said = {"kind": "Status", "message": words}
        self._status = status

    async def ask(self, *_: Any) -> Answer:
        """Answer a call."""
        return Answer(self._status, json.dumps(self._said).encode(), None)


@pytest.mark.parametrize(
    ("words", "uid", "kind"),
    [
        (ANOTHER, "a", Moved),
        (CHANGED, "a", Moved),
        (ANOTHER, "", Throttled),
        (DENIED, "a", Refused),
        (BUSY, "a", Throttled),
    ],
)
async def test_a_conflict_is_another_pod_only_if_it_says_so(
    words: str, uid: str, kind: type[CallFailed]
) -> None:
    connection: Any = Saying(words)
    with pytest.raises(kind) as caught:
        await ApiCalls(connection).delete_pod("p", 1, uid=uid)
    assert type(caught.value) is kind
    assert caught.value.words == words


async def test_what_an_admission_says_is_not_there_is_not_deleted() -> None:
    gone: Any = Saying('pods "p" not found', 404)
    assert not await ApiCalls(gone).delete_pod("p", 1)
    denied: Any = Saying(DENIED, 404)
    with pytest.raises(Refused, match="it is protected"):
        await ApiCalls(denied).delete_pod("p", 1)
