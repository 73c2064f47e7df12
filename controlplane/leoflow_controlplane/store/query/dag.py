"""DAGs and their versions as people look for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, Select, func, select

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.model import FINISHED_RUN, SERVER
from leoflow_controlplane.schema import dag_versions, dags, runs
from leoflow_controlplane.store.query.page import Listed, Page, like_matches, order_key, take_page
from leoflow_controlplane.store.query.summary import Summaries, Summary


@dataclass(frozen=True)
class DagFilter:
    """Which DAGs. ``pattern`` is SQL's, anywhere in the dag_id."""

    pattern: str | None = None
    paused: bool | None = None
    tags: tuple[str, ...] = ()
    tags_match: Literal["any", "all"] = "any"
    last_run_states: tuple[str, ...] = ()


class DagView(NamedTuple):
    """A DAG, its current version (``row`` has the columns of both) and what the version says."""

    row: Row[Any]
    summary: Summary


class DagPage(NamedTuple):
    """DAGs of a page, and how many there are on all."""

    dags: Sequence[DagView]
    total: int


_VERSION_COLUMNS = [
    column.label(f"version_{column.name}" if column.name in ("id", "created_at") else column.name)
    for column in dag_versions.c
    if column.name not in ("dag_id", "spec", "spec_hash")
]
_DAGS = select(dags, *_VERSION_COLUMNS).join(
    dag_versions, dag_versions.c.id == dags.c.dag_version_id
)
_LAST_STATE = (
    select(runs.c.state)
    .where(runs.c.dag_id == dags.c.dag_id, runs.c.instance_id == SERVER)
    .order_by(runs.c.logical_at.desc(), runs.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_ORDERS: dict[str, Callable[[DagView], Any]] = {
    "dag_id": lambda dag: dag.row.dag_id,
    "dag_display_name": lambda dag: dag.row.dag_id,
    "is_paused": lambda dag: dag.row.is_paused,
    "next_dagrun": lambda dag: dag.row.next_run_at,
    "last_parsed_time": lambda dag: dag.row.version_created_at,
}


def find_dag(connection: Connection, summaries: Summaries, dag_id: str) -> DagView:
    """Give a DAG; NotFound if there is none."""
    row = connection.execute(_DAGS.where(dags.c.dag_id == dag_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no DAG '{dag_id}'. See 'leoflow dags' for those that there are.")
    return DagView(row, summaries.of(connection, [row])[row.dag_version_id])


def list_dags(
    connection: Connection, summaries: Summaries, wanted: DagFilter, page: Page
) -> DagPage:
    """List DAGs. Tags are in the specifications, so this looks at each DAG's summary."""
    rows = connection.execute(_select(wanted)).all()
    known = summaries.of(connection, rows)
    views = [DagView(row, known[row.dag_version_id]) for row in rows]
    views = [view for view in views if _matches(view, wanted)]
    for word in reversed((*page.order, "dag_id")):
        _sort(views, _ORDERS[order_key(word, _ORDERS)], descending=word.startswith("-"))
    return DagPage(views[page.offset : page.offset + page.limit], len(views))


def count_unfinished(connection: Connection, dag_id: str) -> int:
    """Count the runs of a DAG that are not over."""
    query = select(func.count()).where(
        runs.c.instance_id == SERVER,
        runs.c.finished_at.is_(None),
        runs.c.dag_id == dag_id,
        runs.c.state.not_in(FINISHED_RUN),
    )
    return connection.execute(query).scalar_one()


def list_versions(connection: Connection, dag_id: str, page: Page) -> Listed:
    """List the versions of a DAG; NotFound if there is none."""
    query = select(*(column for column in dag_versions.c if column.name != "spec"))
    columns = {name: dag_versions.c[name] for name in ("id", "version_number", "created_at")}
    listed = take_page(
        connection, query.where(dag_versions.c.dag_id == dag_id), page, columns, dag_versions.c.id
    )
    if not listed.total:
        raise NotFound(f"there is no DAG '{dag_id}'.")
    return listed


def find_version(connection: Connection, dag_id: str, number: int) -> Row[Any]:
    """Give a version of a DAG; NotFound if there is none."""
    query = select(*(column for column in dag_versions.c if column.name != "spec")).where(
        dag_versions.c.dag_id == dag_id, dag_versions.c.version_number == number
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"DAG '{dag_id}' has no version {number}.")
    return row


def _select(wanted: DagFilter) -> Select[Any]:
    query = _DAGS
    if wanted.paused is not None:
        query = query.where(dags.c.is_paused.is_(wanted.paused))
    if wanted.last_run_states:
        query = query.where(_LAST_STATE.in_(wanted.last_run_states))
    return query


def _matches(view: DagView, wanted: DagFilter) -> bool:
    if wanted.pattern is not None and not like_matches(wanted.pattern, view.row.dag_id):
        return False
    if not wanted.tags:
        return True
    every = all if wanted.tags_match == "all" else any
    return every(tag in view.summary.tags for tag in wanted.tags)


def _sort(views: list[DagView], key: Callable[[DagView], Any], *, descending: bool) -> None:
    """Sort without losing the order of equals; what has no value comes last, either way."""
    valued = [view for view in views if key(view) is not None]
    rest = [view for view in views if key(view) is None]
    views[:] = [*sorted(valued, key=key, reverse=descending), *rest]
