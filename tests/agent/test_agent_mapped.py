"""A try of an expanded task: it gets the arguments of its map index, and the DAG is drawn anew."""

from __future__ import annotations

from typing import Any

SOURCE = """\
from leoflow import TaskGroup, dag, setup, task, teardown

@task
def days():
    return [1, 2, 3]

@task
def load(day, region, ti):
    return [day, region, ti.map_index]

@setup
def make(): ...

@teardown
def remove(): ...

@dag
def project():
    with TaskGroup("g"), remove().as_teardown(setups=make()):
        load.partial(region="north").expand(day=days())

project()
"""


def test_a_mapped_task_in_a_group_gets_its_own_arguments(agent: Any, control_plane: Any) -> None:
    context = {**agent.workload()["context"], "task_id": "g.load", "map_index": 2}
    kwargs = {"day": 3, "region": "north"}
    agent.run(SOURCE, function=None, context=context, kwargs=kwargs)
    (result,) = control_plane.of_type("xcom")
    assert result["value"] == [3, "north", 2]
