"""The same rules as the core's, decided the slow way: look at everything, again and again.

Written from Airflow's ``trigger_rule_dep`` and its siblings, over counts of instances; shares no
code with the core. It is what the core is compared with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from leoflow_agent.action import Value, XCom
from leoflow_agent.spec import DagSpec, TaskSpec

DONE = ("success", "failed", "upstream_failed", "skipped")
States = dict[tuple[str, int], Any]


class Oracle:
    """Follows a run by its states alone. ``values`` are what instances returned."""

    def __init__(self, spec: DagSpec, values: dict[tuple[str, int], Any], limit: int) -> None:
        self.spec, self.values, self.limit = spec, values, limit
        self.marked: set[tuple[str, int]] = set()

    def settle(self, states: States) -> None:
        """Decide all that can be decided, in place."""
        while any(self._decide(item, states) for item in self.spec.tasks):
            pass

    def follow_branch(self, task_id: str, states: States) -> None:
        """Skip what a branch that has just succeeded leaves out."""
        branch = self.spec.task(task_id)
        if states.get((task_id, -1)) != "success":
            return
        value = self.values.get((task_id, -1), (task_id, -1) in self.marked)
        left = [item for item in self._below(task_id) if self._sends_away(branch, item, -1, states)]
        if branch.branch == "short_circuit" and not value and not branch.respect_trigger_rules:
            left = list(self._far_below(task_id))
        for item in left:
            for place in states if item.teardown is None else ():
                if place[0] == item.task_id and states[place] in (None, "scheduled"):
                    states[place] = "skipped"

    def run_state(self, states: States) -> str | None:
        """Say how the run ended, or None."""
        if any(state not in (*DONE, "removed") for state in states.values()):
            return None
        counted = [
            t for t in self.spec.tasks if not t.teardown or t.teardown.on_failure_fail_dagrun
        ]
        leaves = [t for t in counted if not any(t.task_id in _up(d) for d in counted)]
        names = {t.task_id for t in leaves} or {
            t.task_id for t in self.spec.tasks if not list(self._below(t.task_id))
        }
        bad = any(
            state in ("failed", "upstream_failed")
            for (name, _), state in states.items()
            if name in names
        )
        return "failed" if bad else "success"

    def _decide(self, item: TaskSpec, states: States) -> bool:
        open_ones = [p for p in states if p[0] == item.task_id and states[p] is None]
        if not open_ones:
            return False
        outcome = self._outcome(item, states)
        if outcome is None:
            return False
        if outcome == "scheduled" and item.expansion:
            open_ones = self._expand(item, open_ones, states)
        for place in open_ones:
            away = outcome == "scheduled" and any(
                self._sends_away(self.spec.task(up), item, place[1], states) for up in _up(item)
            )
            states[place] = "skipped" if away else outcome
        return True

    def _outcome(self, item: TaskSpec, states: States) -> str | None:
        if any(self._sends_away(self.spec.task(up), item, -1, states) for up in _up(item)):
            return "skipped"
        scope = Counter[Any]()
        if item.teardown is None and item.trigger_rule != "always":
            scope = self._count(self._scope(item), states)
        if scope["failed"] or scope["upstream_failed"]:
            return "upstream_failed"
        if scope["skipped"]:
            return "skipped"
        outcome = self._rule(item, states)
        if outcome == "scheduled":
            if scope["success"] != scope["total"]:
                return None
            return self._sources(item, states)
        return outcome

    def _rule(self, item: TaskSpec, states: States) -> str | None:
        count = self._count(_up(item), states)
        total, success, skipped = count["total"], count["success"], count["skipped"]
        failed = count["failed"] + count["upstream_failed"]
        done = success + skipped + failed
        rule = "all_done_setup_success" if item.teardown else item.trigger_rule
        if total == 0 or rule == "always":
            return "scheduled"
        setups = [up for up in _up(item) if self._is_setup(up, item)]
        setup = self._count(setups, states)
        table: dict[str, list[tuple[Any, str]]] = {
            "all_success": [
                (failed, "upstream_failed"),
                (skipped, "skipped"),
                (success == total, "scheduled"),
            ],
            "all_failed": [(success or skipped, "skipped"), (failed == total, "scheduled")],
            "all_done": [(done == total, "scheduled")],
            "all_done_min_one_success": [
                (skipped, "skipped"),
                (done == total and not success, "upstream_failed"),
                (done == total, "scheduled"),
            ],
            "all_done_setup_success": [
                (done < total, ""),
                (setups and setup["skipped"] == setup["total"], "skipped"),
                (setups and not setup["success"], "upstream_failed"),
                (True, "scheduled"),
            ],
            "all_skipped": [(success or failed, "skipped"), (skipped == total, "scheduled")],
            "one_success": [
                (success, "scheduled"),
                (skipped == total, "skipped"),
                (done == total, "upstream_failed"),
            ],
            "one_failed": [(failed, "scheduled"), (done == total, "skipped")],
            "one_done": [(success or count["failed"], "scheduled"), (done == total, "skipped")],
            "none_failed": [(failed, "upstream_failed"), (done == total, "scheduled")],
            "none_failed_min_one_success": [
                (failed, "upstream_failed"),
                (skipped == total, "skipped"),
                (done == total, "scheduled"),
            ],
            "none_skipped": [(skipped, "skipped"), (done == total, "scheduled")],
        }
        return next((state for holds, state in table[rule] if holds), None) or None

    def _sources(self, item: TaskSpec, states: States) -> str | None:
        outcome = "scheduled"
        for argument in item.expansion.kwargs.values() if item.expansion else ():
            if not isinstance(argument, XCom):
                continue
            count = self._count([argument.task_id], states)
            if sum(count[state] for state in DONE) < count["total"]:
                return None
            whole = states.get((argument.task_id, -1), "success")
            if whole != "success":
                return "skipped" if whole == "skipped" else "upstream_failed"
        return outcome

    def _expand(
        self, item: TaskSpec, open_ones: list[tuple[str, int]], states: States
    ) -> list[tuple[str, int]]:
        length = 1
        for argument in item.expansion.kwargs.values() if item.expansion else ():
            value = self._value(argument, states)
            if not isinstance(value, list | dict):
                length = -1
                break
            length *= len(value)
        if length < 0 or length > self.limit:
            for place in open_ones:
                states[place] = "failed"
            return []
        for place in [p for p in states if p[0] == item.task_id and p[1] >= length]:
            states[place] = "removed"
        if length == 0:
            states[item.task_id, -1] = "skipped"
            return []
        states.pop((item.task_id, -1), None)
        for index in range(length):
            if states.get((item.task_id, index), "removed") == "removed":
                states[item.task_id, index] = None
        return [(item.task_id, i) for i in range(length) if states[item.task_id, i] is None]

    def _value(self, argument: Any, states: States) -> Any:
        if isinstance(argument, Value):
            return argument.value
        if (argument.task_id, -1) in states:
            return self.values.get((argument.task_id, -1))
        places = [p for p in states if p[0] == argument.task_id and states[p] == "success"]
        return [self.values[p] for p in places if p in self.values]

    def _sends_away(self, up: TaskSpec, item: TaskSpec, index: int, states: States) -> bool:
        if up.branch is None or item.teardown is not None:
            return False
        place = (up.task_id, -1) if (up.task_id, -1) in states else (up.task_id, index)
        if states.get(place) != "success":
            return False
        if place in self.marked and place not in self.values:
            return False
        value = self.values.get(place)
        if up.branch == "short_circuit":
            return not value
        chosen = {value} if isinstance(value, str) else set(value or ())
        for name in list(chosen):
            chosen |= {below.task_id for below in self._far_below(name)}
        return item.task_id not in chosen

    def _count(self, names: list[str], states: States) -> Counter[Any]:
        found = [s for (name, _), s in states.items() if name in names and s != "removed"]
        return Counter(found) + Counter(total=len(found))

    def _scope(self, item: TaskSpec) -> list[str]:
        below = {t.task_id for t in self._far_below(item.task_id)}
        found = []
        for setup in self.spec.tasks:
            if not setup.is_setup or item.task_id not in {
                t.task_id for t in self._far_below(setup.task_id)
            }:
                continue
            teardowns = {t.task_id for t in self._below(setup.task_id) if t.teardown}
            if setup.task_id not in _up(item) and (not teardowns or teardowns & below):
                found.append(setup.task_id)
        return found

    def _is_setup(self, up: str, item: TaskSpec) -> bool:
        named = item.teardown.setups if item.teardown else ()
        return self.spec.task(up).is_setup or up in named

    def _below(self, task_id: str) -> Iterator[TaskSpec]:
        return (item for item in self.spec.tasks if task_id in _up(item))

    def _far_below(self, task_id: str) -> list[TaskSpec]:
        reached = {task_id}
        for item in self.spec.tasks:
            if reached.intersection(_up(item)):
                reached.add(item.task_id)
        return [item for item in self.spec.tasks if item.task_id in reached - {task_id}]


def _up(item: TaskSpec) -> list[str]:
    setups = item.teardown.setups if item.teardown else ()
    return list(dict.fromkeys((*item.upstream_task_ids, *setups)))
