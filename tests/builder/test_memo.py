"""What is kept for the same words, and when it is not used."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder import memo as memo_module
from leoflow_builder.answer import make_drawing
from leoflow_builder.memo import FORGETFUL, Memo, memo_in
from leoflow_builder.problem import Problem, ProjectError
from leoflow_builder.project import load_project
from leoflow_builder.written import Refused, check

SETTINGS = """\
dag_id: d
dependencies: [idna==3.7]
environment: {VERSION: 1.10}
defaults: {retries: null, resources: {requests: {cpu: 1, memory: 1Gi}, limits: {}}}
tasks: {a: {retry_delay_seconds: 5}}
"""


def test_a_document_is_kept_for_the_same_text_and_kind(tmp_path: Path) -> None:
    memo = memo_in(tmp_path)
    memo.keep("task", "a", {"x": [1, None]})
    assert memo.recall("task", "a") == {"x": [1, None]}
    assert memo.recall("task", "b") is None
    assert memo.recall("dag", "a") is None
    assert memo_in(tmp_path / "other").recall("task", "a") is None
    assert FORGETFUL.recall("task", "a") is None


def test_another_leoflow_recalls_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo_in(tmp_path).keep("task", "a", {})
    monkeypatch.setattr(memo_module, "own_print", lambda: "another")
    assert memo_in(tmp_path).recall("task", "a") is None


@pytest.mark.parametrize("damage", [b"", b"x", b"\xff", b"0\n{}"])
def test_a_damaged_record_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    memo = Memo(tmp_path)
    memo.keep("task", "a", {"x": 1})
    (record,) = tmp_path.glob("task-*.json")
    record.write_bytes(damage)
    assert memo.recall("task", "a") is None


def test_a_project_is_the_same_whether_its_settings_are_known_or_not(tmp_path: Path) -> None:
    (tmp_path / "dag.py").touch()
    (tmp_path / "leoflow.yaml").write_text(SETTINGS)
    memo = memo_in(tmp_path / "home")
    first, known, forgetful = (load_project(tmp_path, one) for one in (memo, memo, FORGETFUL))
    assert first == known == forgetful
    assert known.environment == {"VERSION": "1.10"}
    assert known.problem("x", "dependencies", 0) == Problem("leoflow.yaml", 2, "x", 16)


def test_what_is_wrong_is_never_known(tmp_path: Path) -> None:
    (tmp_path / "dag.py").touch()
    (tmp_path / "leoflow.yaml").write_text("retires: 2\n")
    memo = memo_in(tmp_path / "home")
    for _ in range(2):
        with pytest.raises(ProjectError, match="unknown key 'retires'"):
            load_project(tmp_path, memo)
        with pytest.raises(Refused, match="retries"):
            check(memo, "task", {"retries": -1})


def test_a_drawing_is_the_same_whether_its_options_are_known_or_not(tmp_path: Path) -> None:
    def answer(line: int) -> dict[str, object]:
        place = {"file": "dag.py", "line": line}
        url = {"kind": "xcom", "task_id": "b", "key": "return_value"}
        task = {
            "task_id": "a",
            "kind": "http_api",
            "args": [],
            "kwargs": {"url": url, "timeout_seconds": {"kind": "value", "value": 5}},
            "options": {"retries": {"value": 2, **place}},
            "source": place,
            "upstream": [],
            "expansion": {},
            "setup": False,
            "teardown": None,
            "targets": [],
        }
        options = {"tags": ["x"], "params": {"n": 1}}
        dag = {"function": "d", "options": options, "source": place}
        return {**dag, "tasks": [task], "groups": []}

    memo = memo_in(tmp_path)
    for line in (3, 7):
        drawing, problems = make_drawing(answer(line), "dag", memo)
        assert (drawing, problems) == make_drawing(answer(line), "dag")
        assert drawing.tasks[0].source.line == line
