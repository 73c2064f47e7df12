"""Random DAGs, and all that can happen to their runs in any order, against what always holds.

After each step a second memory is read from the tables, and has to be the same as the first.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ground import Ground, make_book, open_ground
from house import make_dag, make_task
from hypothesis import event, given, settings
from hypothesis import strategies as st
from leoflow_agent.action import XCom
from leoflow_agent.spec import DagSpec, Expansion
from leoflow_controlplane.book.book import Book
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.error import ControlPlaneError
from leoflow_controlplane.liverun.instance import OPEN
from leoflow_controlplane.model import FINISHED_RUN, RunKey, TryKey
from leoflow_controlplane.steps import dag, due, ending, intervention, recovery, run
from leoflow_controlplane.store.keeper import Keeper
from leoflow_controlplane.verdict import Exit

RULES = ("all_success", "all_done", "one_failed", "none_failed", "one_success", "always")
LIMITS = st.sampled_from([None, 1, 2])
PARALLEL = 3
ACTIONS = (
    *("start", "finish", "finish", "fail", "close", "close", "trigger", "time", "restart"),
    *("clear", "mark", "end run", "cancel", "pause", "delete"),
)


@st.composite
def dags(draw: st.DrawFn) -> DagSpec:
    """Draw a DAG; every second task or so is mapped, looks back or has a limit."""
    tasks: list[Any] = []
    for number in range(draw(st.integers(1, 4))):
        names = [task.task_id for task in tasks]
        upstream = draw(st.lists(st.sampled_from(names), unique=True, max_size=2)) if names else []
        fields: dict[str, Any] = {
            "retries": draw(st.integers(0, 1)),
            "retry_delay_seconds": draw(st.sampled_from([0.0, 5.0])),
            "trigger_rule": draw(st.sampled_from(RULES)),
            "depends_on_past": draw(st.sampled_from([False, False, True])),
            "max_active_tis_per_dag": draw(LIMITS),
            "max_active_tis_per_dagrun": draw(LIMITS),
            "execution_timeout_seconds": draw(st.sampled_from([None, 20.0])),
        }
        if upstream and draw(st.booleans()):
            fields["expansion"] = Expansion({"x": XCom(upstream[0])})
        tasks.append(make_task(f"t{number}", *upstream, **fields))
    return make_dag(
        *tasks,
        max_active_runs=draw(st.integers(1, 2)),
        max_active_tasks=draw(st.integers(1, 4)),
        dagrun_timeout_seconds=draw(st.sampled_from([None, None, 300.0])),
    )


class World:
    """What is outside: containers by their try, each with the next event of its agent, 0 once it
    has reported its end; and everything that somebody may do."""

    def __init__(self, spec: DagSpec) -> None:
        self.spec = spec
        self.ground: Ground = open_ground("sqlite://", max_parallel_tasks=PARALLEL)
        self.containers: dict[TryKey, int] = {}
        self.runs = 0
        self.paused = False
        self.step(self.ground.register, spec)

    def step(self, do: Any, *args: Any) -> None:
        """Do something, take what came out of it, and look at everything."""
        ground = self.ground
        before = len(ground.dispatches)
        try:
            do(*args)
        except ControlPlaneError as error:
            event(type(error).__name__)
        for dispatch in ground.dispatches[before:]:
            assert dispatch.key not in self.containers
            self.containers[dispatch.key] = 1
        self.check()

    def act(self, action: str, number: int) -> None:
        """Do one of ACTIONS to the container, run or task that ``number`` comes to."""
        ground, key = self.ground, self._pick(number)
        if action == "trigger" and self.runs < 4:
            self.runs += 1
            date = f"2026-01-{self.runs:02}T00:00:00+00:00"
            self.step(lambda: ground.trigger(f"r{self.runs - 1}", logical_date=date))
        elif action == "time":
            ground.now += (0.5, 6.0, 30.0, 200.0)[number % 4]
            self.step(ground.step, due.come_due, (), ground.now)
        elif action == "restart":
            self.restart()
        elif key is not None and action == "close":
            self.close(key)
        elif key is not None and action in ("start", "finish", "fail"):
            self.report(key, action, number)
        else:
            self.intervene(action, number)

    def intervene(self, action: str, number: int) -> None:
        """Do what people do."""
        ground, now = self.ground, self.ground.now
        where = RunKey("d", f"r{number % max(1, self.runs)}")
        tasks = [task.task_id for task in self.spec.tasks]
        chosen = TaskSelection([tasks[number % len(tasks)]], downstream=bool(number % 2))
        if action == "clear":
            self.step(ground.step, intervention.clear, where, (chosen, False), now)
        elif action == "mark":
            state = ("success", "failed", "skipped")[number % 3]
            asked = (chosen, state, False)
            self.step(ground.step, intervention.set_task_state, where, asked, now)
        elif action == "end run":
            state = ("success", "failed", "queued")[number % 3]
            self.step(ground.step, intervention.set_run_state, where, state, now)
        elif action == "cancel":
            self.step(ground.step, run.cancel, where, now)
        elif action == "delete" and number % 3 == 0:
            self.step(ground.step, intervention.delete_run, where, ground.now)
        elif action == "pause":
            self.paused = not self.paused
            self.step(ground.step, dag.pause_dag, "d", self.paused, now)

    def report(self, key: TryKey, action: str, number: int = 0) -> None:
        """Have an agent report what it has to, unless it has reported its end."""
        seq = self.containers[key]
        if seq == 0:
            return
        events: list[dict[str, Any]] = [] if seq > 1 else [{"type": "started"}]
        if action != "start":
            value = [["x", "y"], ["x"], [], None, "text"][number % 5]
            state = "failed" if action == "fail" else "success"
            events.append({"type": "xcom", "key": "return_value", "value": value})
            events.append({"type": "finished", "state": state, "reason": None, "exit_code": 0})
        numbered = [{**item, "seq": seq + n} for n, item in enumerate(events)]
        self.containers[key] = 0 if action != "start" else seq + len(events)
        self.step(lambda: self.ground.report(key, *numbered))

    def close(self, key: TryKey) -> None:
        """Have a container end, and its end known."""
        ground, exit = self.ground, Exit(1)
        self.containers.pop(key, None)
        self.step(ground.step, ending.close_tries, [ending.End(key, exit, {})], ground.now)
        self.step(ground.step, ending.settle, key, (exit, None, None), ground.now)

    def restart(self) -> None:
        """Have another process take up what is there."""
        ground = self.ground
        ground.book = Book(ground.book.policy, Keeper())
        gone: list[TryKey] = []
        here = frozenset(self.containers)
        self.step(lambda: gone.extend(ground.step(recovery.recover, here, ground.now)[0]))
        for key in gone:
            self.close(key)

    def end(self) -> None:
        """Let everything go well from now on, until all is over."""
        self.step(self.ground.step, dag.pause_dag, "d", False, self.ground.now)
        for _ in range(60):
            for key in list(self.containers):
                self.report(key, "finish", 1)
                self.close(key)
            self.ground.now += 30.0
            self.step(self.ground.step, due.come_due, (), self.ground.now)
            held = list(self.ground.book.runs.values())
            # As in Airflow a task waits for its past even if that has failed.
            running = [one for one in held if one.facts.state == "running"]
            if all(one.live.decider.waiting for one in running) and bool(held) == bool(running):
                return
        raise AssertionError(f"not over: {list(map(memory, held))}")

    def check(self) -> None:
        """Check what always holds."""
        book = self.ground.book
        second = make_book()
        with self.ground.engine.begin() as connection:
            # A step that was refused has left it without any memory.
            book.begin(connection)
            second.begin(connection)
        assert {k: memory(r) for k, r in book.runs.items()} == {
            k: memory(r) for k, r in second.runs.items()
        }
        for name in ("under_way", "active_tasks", "active_tries"):
            assert +getattr(book.places, name) == +getattr(second.places, name)
        self._check_containers()
        self._check_limits(book)

    def _check_containers(self) -> None:
        # One that could not be stopped in time is given up, and known no more.
        known = self.ground.book.tries
        at_work = [key[:4] for key, seq in self.containers.items() if seq and key in known]
        assert len(set(at_work)) == len(at_work)

    def _check_limits(self, book: Book) -> None:
        open_ones = [held for held in book.tries.values() if held.is_current]
        assert len(open_ones) <= min(PARALLEL, self.spec.max_active_tasks)
        for held in open_ones:
            assert held.instance.state in OPEN
            task = held.run.version.tasks[held.key.task_id]
            same = [one for one in open_ones if one.key.task_id == task.task_id]
            in_run = [one for one in same if one.run is held.run]
            assert len(same) <= (task.max_active_tis_per_dag or PARALLEL)
            assert len(in_run) <= (task.max_active_tis_per_dagrun or PARALLEL)
        states = [r.facts.state for r in book.runs.values()]
        assert states.count("running") <= self.spec.max_active_runs

    def _pick(self, number: int) -> TryKey | None:
        keys = sorted(self.containers)
        return keys[number % len(keys)] if keys else None


def memory(held: Any) -> Any:
    """Give all that is known of a run, but for what is only looked up faster that way."""
    tries = {
        key: (
            *(one.nonce, one.acked_seq, one.reported_verdict, one.terminate, one.deadline_at),
            *(one.exit_code, {name: at for name, at in one.instants.items() if at is not None}),
            None if one.verdict is None else (one.verdict.state, one.verdict.reason),
        )
        for key, one in held.tries.items()
    }
    instances = {(i.task_id, i.map_index): asdict(i) for i in held.live.instances}
    waiting = held.facts.state not in FINISHED_RUN and set(held.live.decider.waiting)
    active = {task_id: count for task_id, count in held.active.items() if count}
    return asdict(held.facts), instances, tries, waiting, active, held.live.next_due()


@settings(max_examples=40, deadline=None)
@given(dags(), st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 59)), max_size=40))
def test_whatever_happens_limits_hold_all_is_written_and_every_run_ends(
    spec: DagSpec, actions: list[tuple[str, int]]
) -> None:
    world = World(spec)
    world.act("trigger", 0)
    for action in actions:
        world.act(*action)
    world.end()
    world.ground.engine.dispose()
