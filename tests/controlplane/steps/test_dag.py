"""DAGs that are made known: which version is new, and to whom."""

from __future__ import annotations

import pytest
from ground import KEY, Ground, make_plan, names, rows
from house import make_dag, make_task
from leoflow_agent.spec import BuiltDag, ImageRef
from leoflow_controlplane.book.book import Book
from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.schema import journal, task_instances, tries, xcoms
from leoflow_controlplane.steps import dag, ending, intervention, run
from leoflow_controlplane.verdict import Exit
from sqlalchemy import Connection


def created(ground: Ground, image: str = "i") -> bool:
    built = BuiltDag(make_dag(make_task("t")), ImageRef(image, None, "linux/amd64"))
    return ground.step(dag.register_dag, built, ground.now)[0].created


def test_a_version_is_new_once(ground: Ground) -> None:
    assert [created(ground), created(ground), created(ground, "j"), created(ground)] == [
        True,
        False,
        True,
        False,
    ]


def test_a_dag_that_was_only_run_by_hand_is_new_when_it_is_pushed(ground: Ground) -> None:
    ground.step(run.submit, (make_dag(make_task("t")), "i"), make_plan(), ground.now)
    assert [created(ground), created(ground)] == [True, False]


def test_a_new_version_is_for_new_runs(ground: Ground) -> None:
    ground.register(make_dag(make_task("a"), make_task("b", "a")))
    (old,) = ground.trigger("old")
    ground.register(make_dag(make_task("a"), make_task("c", "a")), image="new")
    (new,) = ground.trigger("new")
    assert names(ground.finish(old)) == ["b"]
    assert names(ground.finish(new)) == ["c"]
    assert (ground.result("old").image, ground.result("new").image) == ("i", "new")


def test_a_paused_dag_starts_nothing(ground: Ground) -> None:
    ground.register(make_dag(make_task("a"), make_task("b", "a")))
    (first,) = ground.trigger("one")
    ground.step(dag.pause_dag, "d", True, ground.now)
    assert ground.trigger("two") == []
    assert ground.finish(first) == []
    ground.restart()
    ground.step(dag.pause_dag, "d", False, ground.now)
    assert sorted(names(ground.handed_out())) == ["a", "b"]


def test_a_dag_is_forgotten_when_its_runs_are_over(durable: Ground) -> None:
    durable.register(make_dag(make_task("a")))
    (key,) = durable.trigger()
    with pytest.raises(Conflict, match="has a run that is not over"):
        durable.step(dag.delete_dag, "d", durable.now)
    durable.finish(key, value=1)
    durable.step(ending.close_tries, [ending.End(key, Exit(0), {})], durable.now)
    durable.step(dag.delete_dag, "d", durable.now)
    for table in (task_instances, tries, journal, xcoms):
        assert rows(durable, table) == []
    with pytest.raises(NotFound, match="there is no DAG 'd'"):
        durable.trigger()


def over(ground: Ground, key: TryKey) -> None:
    ground.finish(key)
    ground.step(ending.close_tries, [ending.End(key, Exit(0), {})], ground.now)


def test_what_is_pushed_in_place_of_a_deleted_dag_is_what_runs(ground: Ground) -> None:
    """SQLite gives the key of the last version that was deleted to the next one."""
    ground.register(make_dag(make_task("old")), image="old")
    over(ground, *ground.trigger())
    ground.step(dag.delete_dag, "d", ground.now)
    ground.register(make_dag(make_task("new")), image="new")
    assert names(ground.trigger()) == ["new"]
    assert ground.dispatches[-1].image == "new"


def test_what_is_pushed_after_a_push_that_was_taken_back_is_what_runs(ground: Ground) -> None:
    def fail(connection: Connection, book: Book) -> None:
        built = BuiltDag(make_dag(make_task("old")), ImageRef("old", None, "linux/amd64"))
        dag.register_dag(connection, book, built, ground.now)
        raise LookupError("another step of the group")

    with pytest.raises(LookupError):
        ground.step(fail)
    ground.register(make_dag(make_task("new")), image="new")
    assert names(ground.trigger()) == ["new"]


def test_a_dag_that_was_deleted_while_it_was_paused_begins_anew_when_it_is_pushed(
    ground: Ground,
) -> None:
    ground.register(make_dag(make_task("a"), make_task("b", "a")))
    (key,) = ground.trigger()
    ground.step(dag.pause_dag, "d", True, ground.now)
    over(ground, key)
    ground.step(intervention.set_run_state, KEY, "failed", ground.now)
    ground.step(dag.delete_dag, "d", ground.now)
    ground.register(make_dag(make_task("a"), make_task("b", "a")))
    assert names(ground.trigger()) == ["a"]
