"""The pure core: small cases by hand, and random DAGs with random outcomes played to their end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from house import make_task
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.spec import TaskSpec, TriggerRule
from leoflow_controlplane.decision import FinishRun, Move, decide, next_due, state_after_failure
from leoflow_controlplane.model import FINISHED, TRANSITIONS, RunSnapshot, TaskInstance
from leoflow_controlplane.trigger import evaluate_trigger_rule


def snapshot(tasks: list[TaskSpec], *instances: TaskInstance, **fields: Any) -> RunSnapshot:
    known = {instance.task_id for instance in instances}
    rest = [TaskInstance(task.task_id) for task in tasks if task.task_id not in known]
    return RunSnapshot("running", tuple(tasks), (*instances, *rest), **fields)


A, B, C = make_task("a"), make_task("b", "a"), make_task("c", "b")


def test_what_waits_for_nothing_is_scheduled() -> None:
    assert decide(snapshot([A, B, make_task("x")]), 0) == [
        Move("a", -1, "scheduled"),
        Move("x", -1, "scheduled"),
    ]


def test_a_failure_is_followed_to_the_end_at_once() -> None:
    decisions = decide(snapshot([A, B, C], TaskInstance("a", "failed", try_number=1)), 0)
    assert [d.state for d in decisions] == ["upstream_failed", "upstream_failed", "failed"]
    assert decisions[-1] == FinishRun("failed")


def test_a_reason_names_the_upstream_tasks_that_decided() -> None:
    (move, *_) = decide(snapshot([A, B], TaskInstance("a", "skipped")), 0)
    assert isinstance(move, Move)
    assert move.reason == "trigger rule 'all_success' with upstream 'a' skipped"


def test_the_run_is_what_its_leaves_are() -> None:
    mended = make_task("b", "a", trigger_rule="all_done")
    instances = [TaskInstance("a", "failed"), TaskInstance("b", "success")]
    assert decide(snapshot([A, mended], *instances), 0) == [FinishRun("success")]


def test_a_run_without_tasks_ends() -> None:
    assert decide(snapshot([]), 0) == [FinishRun("success")]


def test_a_retry_waits_until_it_is_due() -> None:
    waiting = snapshot([A], TaskInstance("a", "up_for_retry", try_number=1, due_at=10.0))
    assert decide(waiting, 9.9) == []
    assert decide(waiting, 10.0) == [Move("a", -1, "scheduled")]
    assert next_due(waiting) == 10.0


def test_nothing_due_is_none() -> None:
    assert next_due(snapshot([A])) is None


def test_a_failed_try_is_repeated_as_often_as_declared() -> None:
    task = make_task("a", retries=2, retry_delay_seconds=5.0)
    assert state_after_failure(task, 2, 100.0) == ("up_for_retry", 105.0)
    assert state_after_failure(task, 3, 100.0) == ("failed", None)
    assert state_after_failure(task, 1, 100.0, retryable=False) == ("failed", None)


def test_a_finished_run_has_no_decisions() -> None:
    assert decide(replace(snapshot([A]), state="failed"), 0) == []


def test_a_cancelled_run_starts_nothing_and_waits_for_what_runs() -> None:
    running = snapshot([A, make_task("x")], TaskInstance("a", "running"), cancelled=True)
    assert decide(running, 0) == [Move("x", -1, "skipped", "the run was cancelled")]


def test_of_a_task_alone_only_it_counts() -> None:
    alone = RunSnapshot("running", (A, B, C), (TaskInstance("b"),))
    assert decide(alone, 0) == [Move("b", -1, "scheduled")]


@st.composite
def dags(draw: st.DrawFn) -> list[TaskSpec]:
    tasks: list[TaskSpec] = []
    for number in range(draw(st.integers(1, 8))):
        names = [task.task_id for task in tasks]
        upstream = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
        rule = draw(st.sampled_from(get_args(TriggerRule)))
        retries = draw(st.integers(0, 2))
        tasks.append(make_task(f"t{number}", *upstream, trigger_rule=rule, retries=retries))
    return tasks


class Player:
    """Carries decisions out with drawn outcomes, checking the rules on the way."""

    def __init__(self, tasks: list[TaskSpec], draw: st.DataObject) -> None:
        self.tasks = tasks
        self.draw = draw
        self.now = 0.0
        self.instances = {task.task_id: TaskInstance(task.task_id) for task in tasks}

    def play(self) -> str:
        for _ in range(200):
            decisions = self.decide()
            for decision in decisions:
                if isinstance(decision, FinishRun):
                    return decision.state
                self.move(decision)
            self.end_one_try()
            self.now += 1
        raise AssertionError("the run does not end")

    def decide(self) -> list[Any]:
        order = self.draw.draw(st.permutations(list(self.instances.values())))
        shuffled = RunSnapshot("running", tuple(self.tasks), tuple(order))
        plain = RunSnapshot("running", tuple(self.tasks), tuple(self.instances.values()))
        decisions = decide(plain, self.now)
        assert decide(shuffled, self.now) == decisions
        return decisions

    def move(self, move: Move) -> None:
        before = self.instances[move.task_id]
        assert move.state in TRANSITIONS[before.state]
        task = next(task for task in self.tasks if task.task_id == move.task_id)
        if move.state == "scheduled" and before.state is None:
            states = [self.instances[name].state for name in task.upstream_task_ids]
            assert evaluate_trigger_rule(task.trigger_rule, states) == "run"
        self.instances[move.task_id] = replace(before, state=move.state, due_at=None)

    def end_one_try(self) -> None:
        open_tries = [i for i in self.instances.values() if i.state == "scheduled"]
        if not open_tries:
            return
        chosen = self.draw.draw(st.sampled_from(open_tries))
        task = next(task for task in self.tasks if task.task_id == chosen.task_id)
        number = chosen.try_number + 1
        assert number <= task.retries + 1
        state, due_at = self.draw.draw(st.sampled_from(["success", "skipped", "failed"])), None
        if state == "failed":
            state, due_at = state_after_failure(task, number, self.now)
        self.instances[task.task_id] = TaskInstance(task.task_id, state, -1, number, due_at)


@given(dags(), st.data())
def test_every_run_ends_by_the_rules(tasks: list[TaskSpec], data: st.DataObject) -> None:
    player = Player(tasks, data)
    assert player.play() in ("success", "failed")
    assert all(instance.state in FINISHED for instance in player.instances.values())
