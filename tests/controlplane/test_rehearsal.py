"""A cluster is asked about the Pods of a DAG before it is known."""

from __future__ import annotations

import pytest
from house import SETTINGS, OpenHouse, make_dag, make_task
from leoflow_agent.podoption import PodOptions
from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef
from leoflow_controlplane.error import DagRefused, RunRefused
from leoflow_controlplane.executor.fake import FakeExecutor
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.pod.making import make_pod
from leoflow_controlplane.rehearsal import MOST_ASKED, rehearse
from podgolden import SITE


class FakePods:
    """Refuses the Pods of the tasks in ``words``; others have to be such that they can be made."""

    advice = ""
    prepulls = False

    def __init__(self, **words: str) -> None:
        self.words = words
        self.asked: list[Launch] = []

    def starting(self, seconds: float) -> frozenset[TryKey]:
        return frozenset()

    async def find_lack(self, spec: DagSpec) -> str | None:
        return self.words.get(spec.dag_id)

    async def find_refusal(self, launch: Launch) -> str | None:
        self.asked.append(launch)
        make_pod(launch, SITE)
        return self.words.get(launch.key.task_id)


async def problems_of(dag: DagSpec, pods: FakePods) -> tuple[str, ...]:
    executor = FakeExecutor(desk=None)  # type: ignore[arg-type]
    executor.pods = pods
    found = await rehearse(dag, "registry.example/image", executor, SETTINGS)
    assert found.warnings == ()
    return found.problems


async def test_what_a_whole_dag_lacks_is_told_once_and_no_pod_is_asked_about() -> None:
    pods = FakePods(d="this process may not create claims")
    dag = make_dag(make_task("a"), make_task("b"))
    assert await problems_of(dag, pods) == ("DAG 'd': this process may not create claims",)
    assert pods.asked == []


async def test_the_cluster_s_words_are_told_with_the_place() -> None:
    pods = FakePods(b='priorityclasses "high" not found')
    dag = make_dag(
        make_task("a"), make_task("b", kubernetes=PodOptions(priority_class_name="high"))
    )
    (problem,) = await problems_of(dag, pods)
    words = 'the cluster refuses its Pod: priorityclasses "high" not found'
    assert problem == f"dag.py:1: task 'b': {words}"


async def test_pods_that_differ_in_names_only_are_asked_about_once() -> None:
    pods = FakePods()
    dag = make_dag(*(make_task(f"t{number}") for number in range(100)))
    assert await problems_of(dag, pods) == ()
    assert len(pods.asked) == 1


async def test_a_cluster_is_not_asked_without_end() -> None:
    pods = FakePods()
    tasks = [make_task(f"t{n}", kubernetes=PodOptions(labels={"n": str(n)})) for n in range(100)]
    await problems_of(make_dag(*tasks), pods)
    assert len(pods.asked) == MOST_ASKED


async def test_what_has_no_place_is_told_without_asking() -> None:
    pods = FakePods()
    (problem,) = await problems_of(make_dag(make_task("a", artifacts=True)), pods)
    assert "staging" in problem
    assert pods.asked == []


async def test_a_launch_of_which_no_pod_can_be_made_is_refused() -> None:
    dag = make_dag(make_task("a"), environment={"X": "x" * 200_000})
    (problem,) = await problems_of(dag, FakePods())
    assert "the variable 'X' in environment has 195 KiB" in problem


def built(dag: DagSpec, digest: str = "a") -> BuiltDag:
    return BuiltDag(dag, ImageRef("reg.example/d:1", f"sha256:{digest * 64}", "linux/amd64"))


async def test_a_dag_that_the_cluster_refuses_is_neither_known_nor_run(
    open_house: OpenHouse,
) -> None:
    async with open_house() as house:
        house.executor.pods = FakePods(a="no such class")
        dag = make_dag(make_task("a"))
        with pytest.raises(DagRefused, match="the cluster refuses its Pod: no such class"):
            await house.plane.register_dag(built(dag))
        with pytest.raises(RunRefused, match="the cluster refuses its Pod: no such class"):
            await house.begin(make_task("a"))
        house.executor.pods = pods = FakePods()
        registered = await house.plane.register_dag(built(dag))
        assert (registered.version_number, registered.warnings) == (1, ())
        assert pods.asked[0].image == "reg.example/d@sha256:" + "a" * 64


async def test_what_has_no_effect_where_there_are_no_pods_is_a_warning(
    open_house: OpenHouse,
) -> None:
    async with open_house() as house:
        task = make_task("a", kubernetes=PodOptions(priority_class_name="high"))
        registered = await house.plane.register_dag(built(make_dag(task)))
        (warning,) = registered.warnings
        assert "kubernetes.priority_class_name has no effect here" in warning


async def test_a_tag_that_has_moved_is_a_version_of_its_own(open_house: OpenHouse) -> None:
    async with open_house() as house:
        dag = make_dag(make_task("a"))
        told = [await house.plane.register_dag(built(dag, digest)) for digest in "abab"]
        assert [(one.version_number, one.created) for one in told] == [
            (1, True),
            (2, True),
            (1, False),
            (2, False),
        ]


@pytest.mark.parametrize(("image", "told"), [("leoflow/etl:1", True), ("r.example/etl:1", False)])
async def test_an_image_that_nodes_find_only_if_they_have_it_is_told(
    image: str, told: bool
) -> None:
    executor = FakeExecutor(desk=None)  # type: ignore[arg-type]
    executor.pods = FakePods()
    found = await rehearse(make_dag(make_task("a")), image, executor, SETTINGS)
    words = " ".join(found.warnings)
    assert (found.problems, f"'{image}' names no registry" in words) == ((), told)
