"""Which instances a command is about."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.error import NotFound
from scene import Scene, mapped, task, teardown

TASKS = (
    task("s", is_setup=True),
    task("a", "s"),
    mapped("b", "a"),
    teardown("t", "b", setups=["s"]),
    task("after", "b"),
)


def scene() -> Scene:
    made = Scene(*TASKS)
    made.end("s")
    made.end("a", value=[1, 2])
    made.end(("b", 0), "failed")
    made.start(("b", 1))
    return made


@pytest.mark.parametrize(
    ("selection", "to_mark", "to_clear"),
    [
        (TaskSelection(["a"]), "a", "s a t"),
        (TaskSelection(["b"]), "b0 b1", "s b0 b1 t"),
        (TaskSelection([("b", 1)]), "b1", "s b1 t"),
        (TaskSelection([("b", 1), "b"]), "b0 b1", "s b0 b1 t"),
        (TaskSelection(["s"]), "s", "s t"),
        (TaskSelection(["t"]), "t", "t"),
        (TaskSelection(["after"]), "after", "after"),
        (TaskSelection(["a"], downstream=True), "a b0 b1 t after", "s a b0 b1 t after"),
        (TaskSelection([("b", 0)], upstream=True), "s a b0", "s a b0 t"),
        (TaskSelection(["after"], upstream=True), "s a b0 b1 after", "s a b0 b1 t after"),
        (TaskSelection(only_failed=True), "b0 after", "b0 after"),
        (TaskSelection(only_running=True), "b1", "b1"),
        (TaskSelection(), "s a b0 b1 t after", "s a b0 b1 t after"),
    ],
)
def test_selection(selection: TaskSelection, to_mark: str, to_clear: str) -> None:
    run = scene().run
    assert names(run.to_mark(selection)) == to_mark
    assert names(run.to_clear(selection)) == to_clear


def names(instances: Any) -> str:
    return " ".join(
        f"{item.task_id}{'' if item.map_index < 0 else item.map_index}" for item in instances
    )


@pytest.mark.parametrize("unknown", ["z", ("z", 0), ("b", 2), ("a", 0)])
def test_what_the_run_does_not_have_is_not_found(unknown: Any) -> None:
    with pytest.raises(NotFound):
        scene().run.to_clear(TaskSelection([unknown]))


def test_what_was_removed_is_never_meant() -> None:
    made = Scene(task("a"), mapped("b", "a"))
    for values in ([1, 2], [1]):
        if made.over:
            made.clear("a", downstream=True)
            made.begin()
        made.end("a", value=values)
        for index in range(len(values)):
            made.end(("b", index))
    assert names(made.run.to_clear(TaskSelection())) == "a b0"
