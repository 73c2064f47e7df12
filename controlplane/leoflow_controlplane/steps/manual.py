"""Turn what somebody asks for into a run. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.book.heldrun import RunPlan
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.error import RunRefused
from leoflow_controlplane.jsondepth import DEEPEST, is_too_deep
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.traceparent import read_traceparent

MAX_RUN_ID = 250


def make_plan(version: DagVersion, asked: Trigger, settings: Settings, now: float) -> RunPlan:
    """Plan a manual run; RunRefused says everything that is wrong with what was asked for."""
    problems: list[str] = []
    logical_date = _read_date("logical_date", asked.logical_date, problems) or _iso(now)
    begin = _read_date("data_interval_start", asked.data_interval_start, problems)
    end = _read_date("data_interval_end", asked.data_interval_end, problems)
    if (begin is None) != (end is None):
        problems.append("of a data interval both ends have to be given, or none.")
    problems += check_conf(version, asked.conf, settings)
    run_id = asked.run_id or _run_id(logical_date, asked, now)
    if len(run_id) > MAX_RUN_ID or "\0" in run_id:
        problems.append(f"a run_id has at most {MAX_RUN_ID} characters, and none that is NUL.")
    if problems:
        raise RunRefused("\n".join(problems))
    return RunPlan(
        run_id=run_id,
        run_type="manual",
        logical_date=logical_date,
        data_interval_start=begin or logical_date,
        data_interval_end=end or logical_date,
        conf=dict(asked.conf),
        note=asked.note,
        triggered_by=asked.triggered_by,
        traceparent=read_traceparent(asked.traceparent),
    )


def _run_id(logical_date: str, asked: Trigger, now: float) -> str:
    """Name a run, as Airflow does. Two of the same date have different names all the same."""
    seed = json.dumps([now, logical_date, dict(asked.conf)], default=str)
    return f"manual__{logical_date}__{sha256(seed.encode()).hexdigest()[:6]}"


def _read_date(name: str, text: str | None, problems: list[str]) -> str | None:
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        read.timestamp()
    except (ValueError, OverflowError, OSError):
        read = None
    if read is None or read.tzinfo is None:
        problems.append(
            f"{name} '{text}' is not ISO 8601 with an offset. "
            "Write it like '2026-01-31T00:00:00+00:00'."
        )
        return None
    return read.isoformat()


def check_conf(version: DagVersion, conf: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Say why runs of a version cannot have ``conf``."""
    try:
        text = json.dumps([dict(conf), dict(version.spec.params)], allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        yield f"conf is not JSON: {error}."
        return
    if is_too_deep(dict(conf)):
        yield f"conf has lists or mappings in one another more than {DEEPEST} deep."
    if len(text) > settings.conf_limit_bytes:
        yield (
            f"conf and params are {len(text)} bytes of JSON, more than the limit of "
            f"{settings.conf_limit_bytes}. Pass large values as a file of the project."
        )


def _iso(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat()
