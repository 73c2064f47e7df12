"""A run as the spans of a trace."""

from __future__ import annotations

from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.spantree import Span, make_spans
from leoflow_controlplane.store.trace import TracedRun, TracedTask, TracedTry
from leoflow_controlplane.traceparent import continue_trace, own_trace, read_traceparent

KEY = RunKey("d", "r")
PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
FIRST = TracedTry(1, "failed", "exit code 1", False, {"dispatched": 2.0, "started": 3.0})
SECOND = TracedTry(2, "success", None, False, {"dispatched": 5.0, "reported": 6.0, "ended": 6.5})
TASKS = (
    TracedTask("a", -1, "success", None, 1.5, 6.0, (FIRST, SECOND)),
    TracedTask("m", 3, "failed", "no", 6.0, 7.0, ()),
    TracedTask("never", -1, "skipped", None, None, None, ()),
)


def spans(traceparent: str | None = PARENT) -> list[Span]:
    run = TracedRun(KEY, "manual", "failed", "why", traceparent, 1.0, 8.0, TASKS)
    return list(make_spans(run))


def test_spans_hang_together_as_run_tasks_and_tries_do() -> None:
    made = spans()
    assert [span.name for span in made] == ["run d", "task a", "try a", "try a", "task m"]
    run, task, first, second, mapped = made
    assert run.parent_id == "b" * 16
    assert {task.parent_id, mapped.parent_id} == {run.span_id}
    assert {first.parent_id, second.parent_id} == {task.span_id}
    assert {span.trace_id for span in made} == {"a" * 32}
    assert len({span.span_id for span in made}) == 5


def test_spans_last_as_long_as_what_they_are_of() -> None:
    times = [(span.start, span.end) for span in spans()]
    assert times == [(1.0, 8.0), (1.5, 6.5), (2.0, 3.0), (5.0, 6.5), (6.0, 7.0)]


def test_a_try_tells_its_phases_and_why_it_failed() -> None:
    _, _, first, second, mapped = spans()
    assert (first.events, first.trouble) == ((("dispatched", 2.0), ("started", 3.0)), "exit code 1")
    assert (second.trouble, second.attributes["leoflow.try_number"]) == (None, 2)
    assert (mapped.trouble, mapped.attributes["leoflow.map_index"]) == ("no", 3)


def test_a_try_has_the_id_that_its_container_was_given() -> None:
    expected = continue_trace(PARENT, TryKey("d", "r", "a", -1, 2)).split("-")[2]
    assert spans()[3].span_id == expected


def test_a_run_that_nobody_traces_has_a_trace_of_its_own() -> None:
    run, *others = spans(None)
    own = own_trace(KEY)
    assert read_traceparent(own) == own
    assert run.parent_id is None
    assert f"00-{run.trace_id}-{run.span_id}-01" == own
    assert {span.trace_id for span in others} == {run.trace_id}


def test_a_caller_that_does_not_sample_gets_nothing() -> None:
    assert spans(PARENT[:-2] + "00") == []
