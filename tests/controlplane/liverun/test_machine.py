"""Random DAGs with random outcomes: the whole machine against rules that hold for every run."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from leoflow_agent.action import Value, XCom
from leoflow_agent.spec import Expansion, TaskSpec, Teardown, TriggerRule
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.liverun.facts import MISSING
from leoflow_controlplane.liverun.instance import OPEN
from leoflow_controlplane.model import FINISHED, FINISHED_RUN
from oracle import Oracle
from scene import Scene, task

RULES = get_args(TriggerRule)
LIMIT = 6
STEPS = 400
# Under all_success a skip and a failure upstream race, in Airflow as well.
UNRACED = tuple(rule for rule in RULES if rule != "all_success")


@st.composite
def dags(draw: st.DrawFn, rules: tuple[str, ...] = RULES, plain: bool = False) -> list[TaskSpec]:
    """Draw tasks in topological order; ``plain`` ones neither branch nor clean up."""
    tasks: list[TaskSpec] = []
    for number in range(draw(st.integers(1, 8))):
        names = [item.task_id for item in tasks]
        upstream = draw(st.lists(st.sampled_from(names), unique=True, max_size=4)) if names else []
        fields: dict[str, Any] = {
            "trigger_rule": draw(st.sampled_from(rules)),
            "retries": draw(st.integers(0, 1)),
        }
        kind = draw(st.sampled_from(["task", "task", "mapped", "branch", "setup", "teardown"]))
        if kind == "mapped" and upstream:
            fields["expansion"] = Expansion(draw(_expansions(upstream)))
        elif kind == "branch" and not plain:
            fields["branch"] = draw(st.sampled_from(["branch", "short_circuit"]))
            fields["respect_trigger_rules"] = draw(st.booleans())
        elif kind == "setup" and not plain:
            fields["is_setup"] = True
        elif kind == "teardown" and not plain:
            setups = [t.task_id for t in tasks if t.is_setup]
            fields["teardown"] = Teardown(tuple(setups[:2]), draw(st.booleans()))
        tasks.append(task(f"t{number}", *upstream, **fields))
    return tasks


@st.composite
def _expansions(draw: st.DrawFn, upstream: list[str]) -> dict[str, Any]:
    over = {"x": XCom(draw(st.sampled_from(upstream)))}
    more = draw(st.sampled_from([None, [1, 2], {"a": 1}, []]))
    return over if more is None else {**over, "y": Value(more)}


VERDICTS = st.sampled_from(["success", "success", "failed", "skipped"])
OFTEN_LOST = st.sampled_from(["success", "success", "failed", "skipped", "lost", "lost"])
LISTS = st.sampled_from([[1, 2], [1, 2, 3], {"k": 1}, [], "text", None])


class Player:
    """Plays a run with drawn outcomes, with the oracle beside it."""

    def __init__(
        self, tasks: list[TaskSpec], data: st.DataObject, verdicts: Any = VERDICTS
    ) -> None:
        self.verdicts = verdicts
        self.scene = Scene(*tasks, max_map_length=LIMIT, machinery_retries=1, begun=False)
        self.data = data
        self.oracle = Oracle(self.scene.spec, self.scene.kept.values, LIMIT)
        self.tries: set[tuple[str, int, int]] = set()

    def play(self) -> None:
        """Go on until the run is over."""
        for _ in range(STEPS):
            if self.scene.over:
                return
            self.turn()
        raise AssertionError("the run does not end")

    def begin(self) -> None:
        states = self.states()
        self.scene.begin()
        self.agree(states)

    def turn(self) -> None:
        """End, or start, one of the tries that could be."""
        instances = list(self.scene.run.instances)
        places = [(i.task_id, i.map_index) for i in instances if i.state in ("scheduled", *OPEN)]
        assert places, "nothing can go on, and the run is not over"
        place = self.data.draw(st.sampled_from(places))
        if self.scene.state(place) == "scheduled":
            self.start(place)
        else:
            self.end(place)

    def start(self, place: tuple[str, int]) -> None:
        self.scene.start(place)
        key = (*place, self.scene.run.instance(*place).try_number)
        assert key not in self.tries
        self.tries.add(key)

    def end(self, place: tuple[str, int]) -> None:
        verdict, states = self.data.draw(self.verdicts), self.states()
        lost = verdict == "lost"
        verdict = "failed" if lost else verdict
        instance = self.scene.run.instance(*place)
        restarting = instance.state == "restarting"
        self.scene.kept.values.pop(place, None)
        if verdict == "success":
            self.leave_value(place)
        states[place] = None if restarting else verdict
        again = instance.try_number <= instance.max_tries
        if verdict == "failed" and again and not restarting:
            states[place] = "scheduled"
        if lost and not instance.machinery_tries and not restarting:
            states[place] = "up_for_retry"
        self.scene.end(place, verdict, machinery=lost)
        if self.scene.spec.task(place[0]).branch and states[place] == "success":
            self.oracle.follow_branch(place[0], states)
        self.agree(states)
        if "up_for_retry" in states.values():
            self.scene.wait(60.0)
            due = (p for p, state in states.items() if state == "up_for_retry")
            self.agree(states | dict.fromkeys(due, "scheduled"))

    def leave_value(self, place: tuple[str, int]) -> None:
        item = self.scene.spec.task(place[0])
        below = [t.task_id for t in self.scene.spec.tasks if place[0] in t.upstream_task_ids]
        value = self.data.draw(LISTS)
        if item.branch == "branch":
            value = self.data.draw(st.lists(st.sampled_from(below), unique=True)) if below else []
        if value is not None:
            self.scene.kept.values[place] = value

    def intervene(self) -> None:
        """Clear or mark something, whatever the run is at."""
        if self.scene.over or self.data.draw(st.booleans()):
            self.clear()
        else:
            self.mark()

    def mark(self) -> None:
        """Mark something, which lets what failed below it be looked at again."""
        names = [item.task_id for item in self.scene.spec.tasks]
        chosen = self.data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
        state = self.data.draw(st.sampled_from(["success", "failed", "skipped"]))
        states, run = self.states(), self.scene.run
        marked = [i for i in run.to_mark(TaskSelection(chosen)) if i.state != state]
        places = [(item.task_id, item.map_index) for item in marked]
        own = list(dict.fromkeys(item.task_id for item in marked))
        below = run.to_clear(TaskSelection(own, downstream=True)) if own else []
        self.oracle.marked.update(places)
        states.update(dict.fromkeys(places, state))
        for name in (name for name in names if name in own and run.plan.spec.task(name).branch):
            self.oracle.follow_branch(name, states)
        for place in ((i.task_id, i.map_index) for i in below if i.task_id not in own):
            if states[place] in ("failed", "upstream_failed"):
                states[place] = None
        self.scene.step(run.set_states(TaskSelection(chosen), state, self.scene.now))
        self.agree(states)

    def clear(self) -> None:
        """Clear something, which the oracle is told of by what was to be cleared."""
        names = [item.task_id for item in self.scene.spec.tasks]
        chosen = self.data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
        selection = TaskSelection(chosen, downstream=self.data.draw(st.booleans()))
        states = self.states()
        for instance in self.scene.run.to_clear(selection):
            is_open = instance.state in OPEN
            if instance.state is not None:
                self.oracle.marked.discard((instance.task_id, instance.map_index))
            states[instance.task_id, instance.map_index] = "restarting" if is_open else None
        self.scene.step(self.scene.run.clear(selection, self.scene.now))
        if self.scene.run.facts.state == "queued":
            self.scene.begin()
        self.agree(states)

    def states(self) -> dict[tuple[str, int], Any]:
        return {(i.task_id, i.map_index): i.state for i in self.scene.run.instances}

    def agree(self, states: dict[tuple[str, int], Any]) -> None:
        self.oracle.settle(states)
        assert self.states() == states
        over = self.oracle.run_state(states)
        assert self.scene.over == over
        assert (over is None) == any(state not in FINISHED for state in states.values())


@settings(max_examples=50)
@given(dags(), st.data())
def test_a_run_ends_and_is_at_every_step_what_looking_at_everything_gives(
    tasks: list[TaskSpec], data: st.DataObject
) -> None:
    player = Player(tasks, data)
    player.begin()
    player.play()
    assert player.scene.run.facts.reason is None


@settings(max_examples=30)
@given(dags(), st.data())
def test_a_run_whose_tries_are_lost_ends_by_the_same_rules(
    tasks: list[TaskSpec], data: st.DataObject
) -> None:
    player = Player(tasks, data, OFTEN_LOST)
    player.begin()
    player.play()


@settings(max_examples=30)
@given(dags(), st.data())
def test_a_run_that_is_cleared_and_marked_on_the_way_ends_by_the_same_rules(
    tasks: list[TaskSpec], data: st.DataObject
) -> None:
    player = Player(tasks, data)
    player.begin()
    for _ in range(data.draw(st.integers(1, 3))):
        for _ in range(data.draw(st.integers(0, 8))):
            if not player.scene.over:
                player.turn()
        player.intervene()
    player.play()


@settings(max_examples=25)
@given(dags(UNRACED, plain=True), st.data())
def test_the_end_does_not_depend_on_the_order_in_which_tries_end(
    tasks: list[TaskSpec], data: st.DataObject
) -> None:
    fate: dict[tuple[str, int, int], tuple[str, Any]] = {}
    ends = []
    for _ in range(2):
        scene = Scene(*tasks, max_map_length=LIMIT)
        while not scene.over:
            open_ones = [i for i in scene.run.instances if i.state == "scheduled"]
            chosen = data.draw(st.sampled_from(open_ones))
            key = (chosen.task_id, chosen.map_index, chosen.try_number)
            if key not in fate:
                fate[key] = (data.draw(VERDICTS), data.draw(LISTS))
            state, value = fate[key]
            scene.end(key[:2], state, MISSING if value is None else value)
        ends.append((scene.over, scene.states()))
    assert ends[0] == ends[1]


@settings(max_examples=25)
@given(dags(), st.data(), st.sampled_from(["cancel", "success", "failed", "time"]))
def test_a_run_that_is_ended_by_hand_is_over_once_its_teardowns_are(
    tasks: list[TaskSpec], data: st.DataObject, how: Any
) -> None:
    player = Player(tasks, data)
    player.begin()
    for _ in range(data.draw(st.integers(0, 6))):
        if not player.scene.over:
            player.turn()
    scene = player.scene
    if how == "cancel":
        scene.step(scene.run.cancel(scene.now))
    elif how != "time":
        scene.step(scene.run.set_run_state(how, scene.now))
    before = scene.run.facts.state in FINISHED_RUN
    while not scene.over:
        (place, *_) = [
            (i.task_id, i.map_index) for i in scene.run.instances if i.state in ("scheduled", *OPEN)
        ]
        assert how == "time" or scene.spec.task(place[0]).teardown
        scene.end(place, data.draw(VERDICTS))
    if how in ("cancel", "failed") and not before:
        assert scene.over == "failed"
