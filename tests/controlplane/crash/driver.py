"""Whoever uses the servers of the crash tests: starts runs and looks at them, whoever leads."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import httpx
from behaviour import make_crash_dag
from leoflow_agent.spec import BuiltDag, ImageRef
from leoflow_controlplane.auth.token import hash_token
from leoflow_controlplane.database.migration import prepare
from leoflow_controlplane.database.place import find_place
from leoflow_controlplane.store.token import add_token
from pydantic import TypeAdapter

PATIENCE_SECONDS = 300.0
TOKEN = "driver"


class Driver:
    """Asks any of the servers at ``addresses``; does ``meanwhile`` before it asks again."""

    def __init__(
        self,
        addresses: Sequence[str],
        lot: random.Random,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self._addresses = addresses
        self._lot = lot
        self._meanwhile = meanwhile
        self._client = httpx.Client(timeout=20, headers={"Authorization": f"Bearer {TOKEN}"})

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def push(self) -> None:
        """Make the DAG known."""
        built = BuiltDag(make_crash_dag(), ImageRef("image", None, "linux/amd64"))
        self.insist(
            "POST", "/dags", TypeAdapter(BuiltDag).dump_python(built, mode="json"), {200, 201}
        )

    def trigger(self, run_id: str) -> None:
        """Begin a run; that it is there already tells of an answer that did not arrive."""
        self.insist("POST", "/dags/crash/dagRuns", {"dag_run_id": run_id}, {200, 409})

    def is_over(self, run_id: str) -> bool:
        """Tell whether a run is over; False if nobody says."""
        with suppress(httpx.HTTPError):
            answer = self._ask("GET", f"/dags/crash/dagRuns/{run_id}", None)
            return answer.status_code == 200 and answer.json()["state"] in ("success", "failed")
        return False

    def insist(self, method: str, path: str, body: object, wanted: set[int]) -> None:
        """Ask one or the other until it is done."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(httpx.HTTPError):
                answer = self._ask(method, path, body)
                if answer.status_code in wanted:
                    return
                if answer.status_code != 503:
                    raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
            if time.monotonic() > until:
                raise SystemExit(f"{method} {path} was not answered")
            self._meanwhile()
            time.sleep(0.02)

    def _ask(self, method: str, path: str, body: object) -> httpx.Response:
        address = self._lot.choice(self._addresses)
        return self._client.request(method, f"{address}/api/v2{path}", json=body)


def admit_driver(url: str) -> None:
    """Make the tables, and a token."""
    place = find_place(url)
    engine = place.writing()
    prepare(engine, place)
    with engine.begin() as connection:
        add_token(connection, "driver", "admin", hash_token(TOKEN), time.time(), None)
    engine.dispose()
