"""What was said of a DAG itself, and what its fields mean together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leoflow_builder.said import Document, SaidTask, said_task, staging_fields, with_webhooks
from leoflow_builder.schedule import instant_of, schedule_of

# The fields that a DagSpec has under the same name.
_SAME = (
    "description",
    "params",
    "timezone",
    "catchup",
    "max_active_runs",
    "max_active_tasks",
    "dagrun_timeout_seconds",
    "is_paused_upon_creation",
    "on_success_webhooks",
    "on_failure_webhooks",
)


@dataclass(frozen=True)
class SaidDag:
    """A document that `dagentry.DagEntry` passed."""

    document: Document

    @property
    def dag_id(self) -> str | None:
        return self.document.get("dag_id")

    @property
    def default_args(self) -> SaidTask:
        return said_task(self.document.get("default_args") or {})

    def spec_fields(self) -> dict[str, Any]:
        """Return the fields of a DagSpec that were said."""
        said = {name: one for name, one in self.document.items() if one is not None}
        found = dict(with_webhooks({name: said[name] for name in _SAME if name in said}))
        found["tags"] = tuple(said.get("tags", ()))
        found["schedule"] = schedule_of(said.get("schedule"))
        if found["schedule"] is not None and found["schedule"].kind == "continuous":
            found["max_active_runs"] = 1
        for name, instant in self._dates().items():
            found[name] = instant.isoformat()
        return {**found, **staging_fields(said.get("staging"))}

    def _dates(self) -> Mapping[str, datetime]:
        timezone = self.document.get("timezone") or "UTC"
        names = [name for name in ("start_date", "end_date") if self.document.get(name)]
        return {name: instant_of(self.document[name], timezone) for name in names}

    def problems(self) -> list[str]:
        """Return what fields that are right one by one mean together and cannot mean."""
        found = []
        dates = self._dates()
        schedule = schedule_of(self.document.get("schedule"))
        start, end = dates.get("start_date"), dates.get("end_date")
        if start is not None and end is not None and start > end:
            found.append(
                f"start_date {start.isoformat()} is after end_date {end.isoformat()}: there would "
                "be no run"
            )
        if self.document.get("catchup"):
            if schedule is None or schedule.kind not in ("cron", "interval"):
                found.append("catchup needs a schedule of cron or a timedelta: remove it")
            elif start is None:
                found.append(
                    "catchup needs start_date, the first day to catch up with: add "
                    "start_date='2026-01-01'"
                )
        runs = self.document.get("max_active_runs")
        if schedule is not None and schedule.kind == "continuous" and runs not in (None, 1):
            found.append(f"schedule @continuous needs max_active_runs 1, not {runs}: remove it")
        return found
