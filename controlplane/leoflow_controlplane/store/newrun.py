"""Make the rows that have to have a key before anything else is known: versions and runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from leoflow_agent.spec import DagSpec
from sqlalchemy import Connection, Row, func, insert, select

from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.book.heldrun import RunPlan
from leoflow_controlplane.schema import dag_versions, runs
from leoflow_controlplane.store.reading import SPEC

# Putting it together takes longer than carrying it out.
_INSERT_RUN = insert(runs).returning(runs)


def insert_run(
    connection: Connection, version: DagVersion, plan: RunPlan, owner: str, now: float
) -> Row[Any]:
    """Write down a run that is queued, and give its row."""
    params = version.spec.params
    row = {
        "dag_id": version.dag_id,
        "run_id": plan.run_id,
        "dag_version_id": version.pk,
        "instance_id": owner,
        "run_type": plan.run_type,
        "state": "queued",
        "cancelled": False,
        "logical_date": plan.logical_date,
        "data_interval_start": plan.data_interval_start,
        "data_interval_end": plan.data_interval_end,
        "logical_at": instant_of(plan.logical_date),
        "conf": json.dumps(plan.conf),
        # As in Airflow, conf overrides those params that it names.
        "params": json.dumps({name: plan.conf.get(name, params[name]) for name in params}),
        "traceparent": plan.traceparent,
        "triggered_by": plan.triggered_by,
        "note": plan.note,
        "backfill_id": plan.backfill_id,
        "created_at": now,
    }
    return connection.execute(_INSERT_RUN, row).one()


def register_version(
    connection: Connection, spec: DagSpec, image: Mapping[str, str | None], now: float
) -> tuple[int, int, bool]:
    """Make a version known; give the key of its row, its number, and whether it is new.

    ``image`` has ``reference`` and ``digest``. A tag that has moved is another image, so the digest
    is in the hash, where there is one.
    """
    text = SPEC.dump_json(spec).decode()
    digest = image["digest"]
    hashed = hashlib.sha256(f"{text}{digest or ''}".encode()).hexdigest()
    # Of versions that were made known by release 0.1.
    bare = hashlib.sha256(text.encode()).hexdigest()
    known = connection.execute(
        select(dag_versions.c.id, dag_versions.c.version_number).where(
            dag_versions.c.dag_id == spec.dag_id,
            dag_versions.c.spec_hash.in_({hashed, bare}),
            dag_versions.c.image == image["reference"],
            dag_versions.c.image_digest.is_not_distinct_from(digest),
        )
    ).one_or_none()
    if known is not None:
        return int(known.id), int(known.version_number), False
    last = select(func.max(dag_versions.c.version_number)).where(
        dag_versions.c.dag_id == spec.dag_id
    )
    number = (connection.execute(last).scalar_one() or 0) + 1
    inserted = connection.execute(
        insert(dag_versions)
        .values(
            dag_id=spec.dag_id,
            version_number=number,
            spec_hash=hashed,
            image=image["reference"],
            image_digest=digest,
            spec=text,
            created_at=now,
        )
        .returning(dag_versions.c.id)
    )
    return int(inserted.scalar_one()), number, True


def instant_of(date: str) -> float:
    """Give an ISO 8601 date as seconds since the epoch; without an offset it is UTC."""
    read = datetime.fromisoformat(date)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
