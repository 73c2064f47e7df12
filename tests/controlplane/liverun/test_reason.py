"""Why a task was not run, in words that stay few."""

from __future__ import annotations

from scene import Scene, mapped, task


def test_it_names_the_upstream_tasks_that_decided() -> None:
    scene = Scene(task("x"), task("y"), task("z"), task("b", "x", "y", "z"))
    scene.ends(x="success", y="skipped")
    assert scene.reason("b") == "trigger rule 'all_success' with upstream 'y' skipped"


def test_it_names_all_that_ended_if_none_of_them_alone_decided() -> None:
    scene = Scene(task("x"), task("y"), task("b", "x", "y", trigger_rule="one_failed"))
    scene.ends(x="success", y="success")
    assert scene.reason("b") == ("trigger rule 'one_failed' with upstream 'x' success, 'y' success")


def test_of_many_it_names_three_and_counts_the_rest() -> None:
    many = [f"t{number}" for number in range(9)]
    scene = Scene(*map(task, many), task("b", *many, trigger_rule="all_failed"))
    for name in many[:-1]:
        scene.end(name, "failed")
    scene.end("t8", "success")
    assert scene.reason("b") == (
        "trigger rule 'all_failed' with upstream 't0' failed, 't1' failed, 't2' failed and 6 more"
    )


def test_of_a_mapped_task_it_counts_the_instances() -> None:
    scene = Scene(task("a"), mapped("m", "a"), task("b", "m"))
    scene.end("a", value=[0] * 100)
    scene.end(("m", 3), "failed")
    assert scene.reason("b") == "trigger rule 'all_success' with upstream 'm' (1 failed)"
