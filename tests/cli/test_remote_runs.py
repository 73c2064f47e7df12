"""Runs at a control plane: triggered, watched, listed, shown, read and changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fakeserver import LATER, NOON, FakeServer, log_line, make_dag, make_run, make_task
from leoflow_cli.client.following import Follower
from leoflow_cli.outcome import InvalidInput


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leoflow_cli.client.following.PAUSE_SECONDS", 0.005)


def test_a_trigger_sends_what_was_asked_and_prints_the_run(server: FakeServer, call):
    server.dags["etl"] = make_dag("etl")
    result = call(
        *("trigger", "etl", "--conf", '{"city": "Oslo"}', "--logical-date", "2026-01-31"),
        *("--run-id", "mine", "--note", "by hand", "--json"),
    )
    assert server.sent("POST")[0].body == {
        "dag_run_id": "mine",
        "logical_date": "2026-01-31T00:00:00+00:00",
        "conf": {"city": "Oslo"},
        "note": "by hand",
    }
    assert json.loads(result.stdout)["run_id"] == "mine"
    assert result.stderr.startswith("etl  mine  queued\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--conf", "{"], "--conf '{' is not JSON"),
        (["--logical-date", "soon"], "--logical-date 'soon' is no date"),
        (["--logs"], "--logs goes with --wait"),
    ],
)
def test_a_trigger_that_makes_no_sense_asks_nobody(server, call, arguments, said):
    with pytest.raises(InvalidInput, match=said):
        call("trigger", "etl", *arguments)
    assert not server.requests


def _change(server: FakeServer, key: tuple[str, str], run_state: str, **task):
    def change() -> None:
        server.tasks[key][0].update(task)
        server.runs[key]["state"] = run_state
        if run_state in ("success", "failed"):
            server.runs[key]["end_date"] = LATER
            server.ended.set()

    return change


@pytest.mark.parametrize(("state", "code"), [("success", 0), ("failed", 1)])
def test_waiting_shows_each_state_and_the_log_and_ends_as_the_run(
    server: FakeServer, call, quick, state: str, code: int
):
    key = ("etl", "mine")
    server.add_run(make_run("etl", "mine", "queued"), make_task("load", None))
    server.logs["load", -1, 1] = [[log_line("one")], [log_line("two")]]
    reason = "ValueError: x (dag.py:3)" if code else None
    server.looks = [
        _change(server, key, "running", state="running", try_number=1),
        _change(server, key, state, state=state, reason=reason),
    ]
    server.returned = {"load": 5}
    result = call("trigger", "etl", "--run-id", "mine", "--wait", "--logs", "--json")
    assert result.exit_code == code
    said = [line.split(None, 3)[2:] for line in result.stderr.splitlines()[1:]]
    expected = [["load", "running"], ["load", "│ one"], ["load", "│ two"]]
    assert said[:3] == expected
    assert said[3] == ["load", f"failed: {reason}" if code else "success"]
    assert f"etl ended with {state} in 125.00 s" in result.stderr
    document = json.loads(result.stdout)
    (task,) = document["tasks"]
    assert (document["state"], task["timeline_ms"]["total"]) == (state, 125.0)
    assert task.get("return_value") == (None if code else 5)


def test_each_try_is_read_to_its_end_before_the_next(server: FakeServer, quick, call):
    key = ("etl", "mine")
    server.add_run(make_run("etl", "mine", "running"), make_task("load", "running"))
    server.logs["load", -1, 1] = [[log_line("no luck")]]
    server.logs["load", -1, 2] = [[log_line("luck")]]
    server.looks = [
        lambda: None,
        _change(server, key, "running", state="queued", try_number=2),
        _change(server, key, "success", state="success", try_number=2),
    ]
    result = call("logs", "etl", "mine", "load", "--follow")
    assert result.stdout == "no luck\nluck\n"


def test_following_begins_with_the_newest_try(server: FakeServer, quick, call):
    server.add_run(make_run("etl", "mine"), make_task("load", try_number=2))
    server.logs["load", -1, 1] = [[log_line("old")]]
    server.logs["load", -1, 2] = [[log_line("new")]]
    assert call("logs", "etl", "mine", "--follow").stdout.split() == ["load", "│", "new"]


PRINTED = "\x1b[2J\x1b[31mred\x1b[0m\x07 \x9b2Jplain\r1 %\x0c\u2028"


@pytest.mark.parametrize("option", [(), ("--follow",)])
def test_a_file_gets_a_log_as_it_is(server: FakeServer, call, option: tuple[str, ...]):
    server.add_run(make_run("etl", "mine"), make_task("load"))
    server.logs["load", -1, 1] = [[log_line(PRINTED)]]
    assert call("logs", "etl", "mine", "load", *option).stdout == PRINTED + "\n"


def test_a_terminal_gets_the_colours_of_a_log_and_nothing_else_that_moves_it(
    server: FakeServer, call, monkeypatch: pytest.MonkeyPatch
):
    server.add_run(make_run("etl", "mine"), make_task("load"))
    server.logs["load", -1, 1] = [[log_line(PRINTED)]]
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    result = call("logs", "etl", "mine", "load")
    assert result.stdout == "\x1b[31mred\x1b[0m^G plain\n1 %^L\u2028\n"


@pytest.mark.parametrize(
    "gone", [(503, {"detail": "no leader"}), (502, b"<html>Bad Gateway</html>")]
)
def test_a_control_plane_that_goes_away_is_waited_for(
    server: FakeServer, quick, call, gone: tuple[int, Any]
):
    key = ("etl", "mine")
    server.add_run(make_run("etl", "mine", "running"), make_task("load", "running"))
    where = ("GET", "/api/v2/dags/etl/dagRuns/mine/taskInstances")
    server.answers[where] = gone
    server.looks = [
        lambda: None,
        lambda: server.answers.pop(where),
        _change(server, key, "success", state="success"),
    ]
    result = call("trigger", "etl", "--run-id", "mine", "--wait")
    assert result.exit_code == 0
    assert "does not answer; waiting for it" in result.stderr
    assert "answers again" in result.stderr


def test_ctrl_c_leaves_the_run_alone_and_says_how_to_go_on(server: FakeServer, quick, call):
    server.add_run(make_run("etl", "mine", "running"), make_task("load", "running"))

    def interrupted(_: Follower):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Follower, "updates", interrupted)
        result = call("trigger", "etl", "--run-id", "mine", "--wait")
    assert result.exit_code != 0
    assert "leoflow runs show etl mine" in result.stderr
    assert "leoflow runs cancel etl mine" in result.stderr
    assert not server.sent("PATCH")


def test_the_name_of_a_dag_alone_lists_its_runs_newest_first(server: FakeServer, call):
    server.add_run(make_run("etl", "one", "failed"))
    server.add_run(make_run("etl", "two"))
    server.add_run(make_run("other", "three"))
    header, *rows = call("runs", "etl").stderr.splitlines()
    assert header.split() == ["run_id", "state", "started", "duration", "type", "logical", "date"]
    assert [row.split()[:2] for row in rows] == [["two", "success"], ["one", "failed"]]
    assert "2026-01-31 12:00:00+00:00" in rows[0]
    assert "2 min 5 s" in rows[0]


def test_runs_alone_lists_those_of_all_dags_and_says_what_is_left_out(server: FakeServer, call):
    for number in range(3):
        server.add_run(make_run("etl", f"run_{number}"))
    result = call("runs", "--limit", "2", "--json")
    assert "… and 1 older; --limit shows more" in result.stderr
    document = json.loads(result.stdout)
    assert [run["dag_run_id"] for run in document["dag_runs"]] == ["run_2", "run_1"]
    assert document["total_entries"] == 3


def test_runs_are_chosen_by_state(server: FakeServer, call):
    server.add_run(make_run("etl", "one", "failed"))
    server.add_run(make_run("etl", "two"))
    assert "two" not in call("runs", "etl", "--state", "failed").stderr
    assert call("runs", "etl", "--state", "running").stderr == "no such run\n"


def test_a_misspelt_subcommand_is_answered_with_the_right_one(server: FakeServer, call):
    result = call("runs", "cancle", "etl", "latest")
    assert result.exit_code == 2
    assert "Did you mean 'cancel'?" in result.output
    assert not server.requests


def test_latest_is_the_newest_run(server: FakeServer, call):
    server.add_run(make_run("etl", "one"))
    server.add_run(make_run("etl", "two", "failed"), make_task("load", "failed", reason="no luck"))
    said = call("runs", "show", "etl", "latest").stderr
    assert said.startswith("etl  two\n")
    assert "load failed: no luck" in said
    assert "etl ended with failed in 125.00 s" in said


def test_latest_of_a_dag_without_runs_says_how_to_start_one(server: FakeServer, call):
    server.dags["etl"] = make_dag("etl")
    with pytest.raises(InvalidInput, match="Start one: leoflow trigger etl"):
        call("runs", "show", "etl", "latest")


def test_a_run_that_goes_on_is_not_called_over(server: FakeServer, call):
    server.add_run(make_run("etl", "one", "running"), make_task("load", "running"))
    assert "etl is running since " in call("runs", "show", "etl", "one").stderr


def test_cancel_ends_a_run_as_failed_but_not_one_that_is_over(server: FakeServer, call):
    server.add_run(make_run("etl", "one", "running"))
    call("runs", "cancel", "etl", "one")
    assert server.sent("PATCH")[0].body == {"state": "failed"}
    server.add_run(make_run("etl", "two", "success"))
    with pytest.raises(InvalidInput, match="is over already: success"):
        call("runs", "cancel", "etl", "two")


def test_clear_sends_its_choice_and_lists_what_runs_again(server: FakeServer, call):
    mapped = make_task("load", "failed", map_index=2)
    server.add_run(make_run("etl", "one", "failed"), mapped)
    result = call(
        *("runs", "clear", "etl", "one", "--task", "load", "--downstream", "--only-failed"),
        *("--dry-run", "--json"),
    )
    assert server.sent("POST")[0].body == {
        "dag_run_id": "one",
        "task_ids": ["load"],
        "include_downstream": True,
        "include_upstream": False,
        "only_failed": True,
        "dry_run": True,
        "reset_dag_runs": True,
    }
    assert result.stderr == "  load[2] would run again\n"
    assert json.loads(result.stdout)["dry_run"] is True


def test_mark_is_of_a_run_or_of_a_task(server: FakeServer, call):
    server.add_run(make_run("etl", "one", "running"), make_task("load", "failed"))
    call("runs", "mark", "etl", "one", "success")
    call("runs", "mark", "etl", "one", "skipped", "--task", "load", "--map-index", "0")
    run, task = server.sent("PATCH")
    assert run.body == {"state": "success"}
    assert task.path.endswith("/taskInstances/load/0")
    assert task.body == {"new_state": "skipped", "include_downstream": False}
    with pytest.raises(InvalidInput, match="go with --task ID"):
        call("runs", "mark", "etl", "one", "skipped")


def test_delete_forgets_a_run(server: FakeServer, call):
    server.add_run(make_run("etl", "one"))
    assert "is forgotten" in call("runs", "delete", "etl", "one").stderr
    assert not server.runs


def test_the_log_of_one_task_is_printed_as_it_was(server: FakeServer, call):
    server.add_run(make_run("etl", "one"), make_task("load", try_number=2))
    server.logs["load", -1, 1] = [[log_line("old")]]
    server.logs["load", -1, 2] = [[log_line("new\nlines")], [log_line("[red]end")]]
    assert call("logs", "etl", "latest", "load").stdout == "new\nlines\n[red]end\n"
    assert call("logs", "etl", "one", "load", "--try", "1").stdout == "old\n"


def test_the_logs_of_all_tasks_come_by_time_with_names(server: FakeServer, call):
    server.add_run(make_run("etl", "one"), make_task("a"), make_task("b", map_index=3))
    server.logs["a", -1, 1] = [[log_line("first"), log_line("third", LATER)]]
    server.logs["b", 3, 1] = [[log_line("second", NOON.replace("12:00", "12:01"))]]
    result = call("logs", "etl", "one")
    assert result.stdout.splitlines() == ["a    │ first", "b[3] │ second", "a    │ third"]
    document = json.loads(call("logs", "etl", "one", "--json").stdout)
    assert [line["event"] for line in document["lines"]] == ["first", "second", "third"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["laod"], "has no task 'laod'. Did you mean 'load'?"),
        (["load", "--try", "2"], "'load' has no try 2: its newest is 1"),
        (["load", "--map-index", "4"], "'load' has no map index 4"),
        (["--try", "2"], "--try and --map-index go with a TASK_ID"),
        (["--follow", "--json"], "--follow goes with neither"),
    ],
)
def test_a_log_that_is_not_there(server: FakeServer, call, arguments, said):
    server.add_run(make_run("etl", "one"), make_task("load"))
    with pytest.raises(InvalidInput) as caught:
        call("logs", "etl", "one", *arguments)
    assert said in str(caught.value)


def test_a_task_that_printed_nothing(server: FakeServer, call):
    server.add_run(make_run("etl", "one"), make_task("load"))
    result = call("logs", "etl", "one", "load")
    assert (result.stdout, result.stderr) == ("", "nothing was printed\n")
