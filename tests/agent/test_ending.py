"""What an exception out of user code means for the try."""

from __future__ import annotations

import pytest
from leoflow import FailTask, SkipTask, TaskTerminated
from leoflow_agent import child, exitcode
from leoflow_agent.ending import import_failed, of
from leoflow_agent.exitcode import Verdict
from leoflow_agent.failure import MAX_REASON_CHARACTERS


@pytest.mark.parametrize(
    ("error", "state", "reason", "code"),
    [
        (Verdict(122, "not JSON"), "failed", "not JSON", 122),
        (ValueError("x"), "failed", "ValueError: x", 1),
        (SkipTask("nothing new"), "skipped", "nothing new", 99),
        (SkipTask(), "skipped", "the task skipped itself", 99),
        (TaskTerminated(143), "failed", "the task's process was told to stop by signal 15", 143),
        (SystemExit(), "success", None, 0),
        (SystemExit(7), "failed", "user code left with sys.exit(7)", 7),
        (SystemExit("bad"), "failed", "user code left with sys.exit('bad')", 1),
        (KeyboardInterrupt(), "failed", "KeyboardInterrupt", 1),
    ],
)
def test_every_end_has_its_verdict(error, state, reason, code, capsys):
    end = of(error)
    assert (end["state"], end["exit_code"]) == (state, code)
    assert end["reason"] == reason or end["reason"].startswith(reason)
    assert "retryable" not in end


def test_a_skip_has_no_traceback(capsys):
    of(SkipTask("nothing new"))
    assert capsys.readouterr().err == "leoflow: skipped: nothing new\n"


def test_a_final_failure_says_that_no_retry_helps(capsys):
    assert of(FailTask("wrong key"))["retryable"] is False
    assert "FailTask: wrong key" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ValueError("no hunter2"), Verdict(1, "no hunter2")])
def test_a_reason_holds_no_secret(error, capsys, monkeypatch):
    given = {"AIRFLOW_CONN_DB": "postgres://me:hunter2@db/x"}
    monkeypatch.setattr(child, "given", given)
    assert of(error)["reason"].endswith("no ***")


def test_a_message_is_cut_only_after_its_secrets_are_hidden(capsys, monkeypatch):
    given = {"AIRFLOW_CONN_DB": "postgres://me:hunter2@db/x"}
    monkeypatch.setattr(child, "given", given)
    said = of(ValueError("x" * (MAX_REASON_CHARACTERS - 3) + "hunter2"))["reason"]
    assert "hun" not in said


def test_a_stop_while_a_module_is_imported_is_no_fault_of_the_module():
    stop = TaskTerminated(exitcode.SIGNAL_BASE + 15)
    assert import_failed("steps", stop) is stop
