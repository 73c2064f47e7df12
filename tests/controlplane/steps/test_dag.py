"""DAGs that are made known: which version is new, and to whom."""

from __future__ import annotations

from ground import Ground, make_plan
from house import make_dag, make_task
from leoflow_agent.spec import BuiltDag, ImageRef
from leoflow_controlplane.steps import dag, run


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
